/** Ctrl-C at a terminal where a deploy is followed: asks once whether to abort the deploy, or to leave it to itself. */

import type { ReadStream } from 'node:tty';

const CONTROL_C = '\u0003';
const CONTROL_D = '\u0004';

export const question = 'a: abort the deploy   d, Ctrl-C: detach, it goes on   any other key: stay ';

export interface InterruptionActions {
  /** Nothing has begun that could be aborted. */
  isIdle(): boolean;
  /** Shows the question, or takes it away again. */
  ask(isAsked: boolean): void;
  abort(): void;
  detach(): void;
}

/** Watches until the returned function is called. Does nothing where nobody could answer. */
export function watchInterruption({ isIdle, ask, abort, detach }: InterruptionActions): () => void {
  const input: ReadStream = process.stdin;
  if (!input.isTTY || !process.stdout.isTTY) return () => undefined;
  let status: 'watching' | 'asked' | 'aborting' = 'watching';
  const leave = (): void => {
    input.off('data', onKey);
    input.setRawMode(false);
    input.pause();
  };
  const onKey = (data: Buffer | string): void => {
    const [key = ''] = data.toString().toLowerCase();
    leave();
    ask(false);
    status = key === 'a' ? 'aborting' : 'watching';
    if (key === 'a') abort();
    else if (['d', CONTROL_C, CONTROL_D].includes(key)) detach();
  };
  const onSignal = (): void => {
    if (isIdle() || status === 'aborting') return detach();
    // It was pressed again before it was a key.
    if (status === 'asked') return onKey(CONTROL_C);
    status = 'asked';
    input.setRawMode(true);
    input.on('data', onKey);
    input.resume();
    ask(true);
  };
  process.on('SIGINT', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    if (status === 'asked') leave();
  };
}
