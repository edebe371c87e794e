/** Space for young objects, MiB. */
const youngMiB = 32;

/** How much may be added to the old objects that are in use before all of them are looked through, %. */
const oldGrowthPercent = 300;

/**
 * Flags of Node for a service in a process of its own.
 *
 * A service under load has megabytes of frames on their way; Node's usual space for young objects (16 MiB) fills so fast
 * that the garbage collector keeps moving frames that wait for their answer: a quarter and more of a channel-emulator's
 * processor time. Twice the space ends that, for no more memory resident.
 *
 * What lives for long is some 25 MB, collected in a millisecond or two. V8 would share that out to four threads a process,
 * which on few cores wait for one another and keep the other services from running: in one thread the chain carries 5 to
 * 15 % more images (test/bench). The images' entry points have the same flags.
 *
 * V8 lets a heap whose old objects grow slowly have a tenth more of them before it marks all again. Of 16 MB that is little: once
 * in this state, services spend a quarter to a third of their serving thread on it. Four times as much is still less than
 * what frames under way take.
 *
 * @param environment where its NODE_OPTIONS limits young or old objects itself, that stands, and nothing is said here
 */
export function nodeFlags({ NODE_OPTIONS: own = '' }: NodeJS.ProcessEnv): string[] {
  const young = own.includes('semi-space-size') ? [] : [`--max-semi-space-size=${youngMiB}`];
  const old = own.includes('old-space-size') ? [] : [`--heap-growing-percent=${oldGrowthPercent}`];
  return ['--single-threaded-gc', ...young, ...old];
}
