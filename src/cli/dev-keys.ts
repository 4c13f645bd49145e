/** Single keys of a terminal. */

import type { ReadStream } from 'node:tty';

const CONTROL_C = '\u0003';
const CONTROL_D = '\u0004';

/** Calls what a key stands for; gives the terminal back by the returned function. Nothing happens without a terminal. */
export function watchKeys(actions: Readonly<Record<string, () => void>>): () => void {
  const input: ReadStream = process.stdin;
  if (!input.isTTY) return () => undefined;
  const onData = (data: Buffer): void => {
    for (const key of data.toString()) {
      const name = key === CONTROL_C || key === CONTROL_D ? 'q' : key.toLowerCase();
      actions[name]?.();
    }
  };
  input.setRawMode(true);
  input.on('data', onData);
  return () => {
    input.off('data', onData);
    input.setRawMode(false);
    input.pause();
  };
}
