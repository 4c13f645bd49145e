/** What the signals of `midflight start` do. */

import type { EventEmitter } from 'node:events';
import { coalesce } from './coalesce.ts';
import type { Terminal } from './terminal.ts';

export interface SignalOptions {
  /** Who gets them. */
  readonly source: EventEmitter<{ signal: [NodeJS.Signals] }>;
  readonly terminal: Terminal;
  /** Deploys again. Does not reject. */
  deploy(onBegin: () => void): Promise<void>;
  /** Lets what is in flight end; called again, it changes nothing. */
  stop(why: string): void;
  /** Ends all at once. */
  cut(): void;
}

/** Acts on them from now on; returns what ends that. */
export function watchSignals({ source, terminal, deploy, stop, cut }: SignalOptions): () => void {
  const deployOnce = coalesce(deploy);
  let interruptCount = 0;
  const handlers: Partial<Record<NodeJS.Signals, () => void>> = {
    SIGTERM: () => stop('SIGTERM'),
    SIGINT() {
      interruptCount++;
      if (interruptCount > 1) cut();
      else stop(terminal.isThere() ? 'Ctrl-C; once more, and what is in flight is cut' : 'SIGINT');
    },
    // The kernel sends the same signal to whom it takes the terminal from, and nobody is there to ask for a deploy then.
    SIGHUP: () => (terminal.isGone() ? stop('its terminal is gone') : void deployOnce()),
  };
  const onSignal = (signal: NodeJS.Signals): void => handlers[signal]?.();
  source.on('signal', onSignal);
  return () => void source.off('signal', onSignal);
}
