/** The client library: what a program needs to send images over a semantic link. */
export type { RatePolicy } from '../codec/rate-control.js';
export type { ChannelStateFeedback, Classification, FrameError, FrameResult } from '../gen/semlink/v1/frame_pb.js';
export type { ModelInfo } from '../gen/semlink/v1/transmitter_encoder_pb.js';
export { SemlinkError } from '../rpc/errors.js';
export { type LinkAnswer, type LinkImage, type LinkOptions, SemanticLink } from './link.js';
