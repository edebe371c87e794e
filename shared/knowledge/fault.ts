import { Code, SemlinkError } from '../rpc/errors.js';

/** What can be wrong with stored knowledge. None of it is ever trained on. */
export type KnowledgeFaultKind =
  /** Nothing has been published here. */
  | 'absent'
  /** A file is not of this format at all, or of a later version of it. */
  | 'foreign'
  /** A header, a manifest or its fields contradict themselves. */
  | 'malformed'
  /** A file is shorter than it says: cut off, or a write that was torn. */
  | 'truncated'
  /** Bytes are not those that were written. */
  | 'damaged'
  /** A shard that the manifest lists is not there. */
  | 'missing-shard'
  /** A whole and sound file that belongs to another set. */
  | 'misplaced'
  /** Sound, but of another data set, other augmentation or another teacher than asked for. */
  | 'other-data-set'
  | 'other-augmentation'
  | 'other-teacher';

/** Stored knowledge that must not be used. The message names the file, what is wrong with it and what to do. */
export class KnowledgeFault extends SemlinkError {
  readonly kind: KnowledgeFaultKind;

  constructor(kind: KnowledgeFaultKind, message: string, options?: { cause?: unknown }) {
    super(codeOf(kind), message, options);
    this.kind = kind;
  }
}

function codeOf(kind: KnowledgeFaultKind): Code {
  if (kind === 'absent') return Code.NOT_FOUND;
  return kind.startsWith('other-') ? Code.FAILED_PRECONDITION : Code.DATA_LOSS;
}
