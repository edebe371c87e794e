import {
  type ExternalSettings,
  externalDefaults,
  type ExternalForm as Form,
} from '../../../shared/channel/external.js';
import { type ExternalChannel, ExternalForm } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { invalidArgument } from '../../../shared/rpc/errors.js';

const forms: Partial<Record<ExternalForm, Form>> = {
  [ExternalForm.UNSPECIFIED]: externalDefaults.form,
  [ExternalForm.PUSH_PULL]: 'push-pull',
  [ExternalForm.REQ_REP]: 'req-rep',
  [ExternalForm.SRSRAN]: 'srsran',
};

/** What is left out has its default. @throws SemlinkError INVALID_ARGUMENT for an unknown form */
export function externalFrom(message: ExternalChannel): ExternalSettings {
  const form = forms[message.form];
  if (!form) throw invalidArgument('channel.external.form', message.form, 'choose PUSH_PULL, REQ_REP or SRSRAN');
  return {
    form,
    send: message.send || externalDefaults.send,
    receive: message.receive || externalDefaults.receive,
    timeoutMs: message.timeoutMs || externalDefaults.timeoutMs,
    delaySymbols: message.delaySymbols,
    multipleSymbols: message.multipleSymbols || externalDefaults.multipleSymbols,
    pilotSymbols: message.pilotSymbols,
  };
}

export function externalMessage({ form, ...rest }: ExternalSettings) {
  const forms = {
    'push-pull': ExternalForm.PUSH_PULL,
    'req-rep': ExternalForm.REQ_REP,
    srsran: ExternalForm.SRSRAN,
  } as const satisfies Record<Form, ExternalForm>;
  return { form: forms[form], ...rest };
}
