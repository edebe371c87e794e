import type { LocalLink } from './local-link.js';
import { type ServiceProcess, startServiceProcess } from './processes.js';

/**
 * Starts the console of a link in a process of its own, however the link runs: what it costs, the link does not feel.
 *
 * @param listen `host:port` of its page
 * @throws Error with a sentence when it cannot start, or a service of the link serves no metrics
 */
export function startLocalConsole(
  { services }: LocalLink,
  listen: string,
  options: Parameters<typeof startServiceProcess>[2] = {},
): Promise<ServiceProcess<'console'>> {
  const metricsOf = (role: keyof typeof services): string => {
    const { metricsAddress } = services[role];
    if (metricsAddress !== undefined) return metricsAddress;
    throw new Error(`the console needs the metrics of the ${role}, which are off; give it a metrics-listen`);
  };
  const flags = {
    '--http-listen': listen,
    '--transmitter': services['transmitter-encoder'].address,
    '--emulator': services['channel-emulator'].adminAddress ?? services['channel-emulator'].address,
    '--watch-transmitter': metricsOf('transmitter-encoder'),
    '--watch-emulator': metricsOf('channel-emulator'),
    '--watch-receiver': metricsOf('receiver-decoder'),
  };
  return startServiceProcess('console', Object.entries(flags).flat(), options);
}
