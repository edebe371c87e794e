import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

/**
 * grpc-js writes its own lines to standard error, beside the sentence that says the same to a person. They stay off
 * unless someone asks for them in grpc's own way, by GRPC_VERBOSITY or GRPC_TRACE. Imported for this effect.
 */
if (process.env.GRPC_VERBOSITY === undefined && process.env.GRPC_TRACE === undefined) {
  setLogVerbosity(logVerbosity.NONE);
}
