/** A generator of load in a process of its own, so that what the bench does is not in the times that clients see. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { TimeWindow } from '../../scripts/load/latencies.ts';

/** Named spans of time that are asked for. */
export type Windows = Readonly<Record<string, readonly TimeWindow[]>>;

export interface Generator<Outcome> {
  /** Lets what is in flight end. */
  stop(windows: Windows): Promise<Outcome>;
}

/** `file` calls `serveGenerator`. Resolves when it has started. */
export async function startGenerator<Outcome extends object>(
  file: string,
  options: object,
): Promise<Generator<Outcome>> {
  const child = fork(file, { serialization: 'advanced' });
  const endWithParent = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithParent);
  const ask = async (message: object): Promise<object> => {
    child.send(message);
    const [answer] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
    if (typeof answer !== 'object' || answer === null) throw new Error('the load generator has ended');
    return answer;
  };
  await ask(options);
  return {
    async stop(windows) {
      const outcome = await ask(windows);
      endWithParent();
      process.off('exit', endWithParent);
      return outcome as Outcome;
    },
  };
}

/** In the process of the generator: starts it with the options that come, stops it when asked. */
export async function serveGenerator<Outcome>(start: (options: never) => Generator<Outcome>): Promise<void> {
  const [options] = (await once(process, 'message')) as [never];
  const generator = start(options);
  process.send?.({});
  const [windows] = (await once(process, 'message')) as [Windows];
  process.send?.(await generator.stop(windows));
}
