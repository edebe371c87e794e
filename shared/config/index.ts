export {
  addressOption,
  formatHostPort,
  HOST_PORT_RANGE,
  type HostPort,
  hostPort,
  isTarget,
  parseHostPort,
  TARGET_RANGE,
  targetOption,
} from './address.js';
export { EXIT_USAGE, loadConfigOrExit } from './cli.js';
export { type ConfigDefinition, type ConfigOf, defineConfig, type OptionInfo } from './define.js';
export { ConfigError } from './error.js';
export { formatHelp } from './help.js';
export { listenProblem } from './listen-problem.js';
export { type LoadInput, type LoadResult, loadConfig, type Source } from './load.js';
export { group, type OptionMeta, option } from './option.js';
export { hasCode, isMissing } from './system-error.js';
export { semlinkVersion } from './version.js';
