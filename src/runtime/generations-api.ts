/** What a worker, and who embeds the runtime, ask of the generations of their process. */

import type { HealthCheck, PrepareAnswer, RetainedGeneration } from '../protocol/messages.ts';
import type { GenerationScope } from './generation-scope.ts';
import type { HotEvents } from './hot-events.ts';
import type { PrepareOptions } from './preparation.ts';
import type { ListenerSource } from './servers/listener-source.ts';
import type { ServerAdoption } from './servers/server-adoption.ts';
import type { StateRegistry } from './state.ts';

export interface GenerationsOptions {
  readonly source: ListenerSource;
  /** A provisional generation failed and the proved one is current again. */
  onRolledBack(generation: number, error: Error): void;
  /** An uncaught error of a generation that has nothing to go back to ends the process. */
  onCrash?(generation: number, error: Error): void;
  /** A module has called `import.meta.hot.send`. */
  onMessage?(event: string, data: unknown): void;
}

export interface Generations {
  readonly servers: ServerAdoption;
  readonly states: StateRegistry;
  /** What `import.meta.hot.on` hears. */
  readonly hotEvents: HotEvents;
  /** Loads, links, evaluates and checks a release beside the current generation.
   *  Errors: whatever its code threw; nothing has changed then. */
  prepare(options: PrepareOptions): Promise<PrepareAnswer>;
  /** Evaluates what is being prepared once more. */
  prepareAgain(): Promise<PrepareAnswer>;
  /** Makes the prepared generation current, in one synchronous step. It is waited for only where a module that was replaced in
   *  place can't be made use of after all, and what imports it is evaluated again.
   *  Errors: what a callback of `import.meta.hot.accept` threw, or a state's migration; nothing has changed then. */
  commit(generation: number, options: { provisional: boolean }): Promise<void>;
  abort(generation: number): void;
  rollback(generation: number): void;
  /** The current generation has passed; resolves when the one before has ended. */
  prove(generation: number, drainTimeoutMs: number): Promise<void>;
  checkHealth(health: HealthCheck): Promise<void>;
  /** One that is there still, or is being prepared. */
  scopeOf(generation: number): GenerationScope | null;
  /** The process will be asked to end: from now on its code may. */
  leave(): void;
  current(): GenerationScope | null;
  /** The namespace of the current generation's entry. */
  namespace(): object | null;
  /** Older generations that are still there, and what keeps them. */
  retained(): readonly RetainedGeneration[];
  /** How many of these have retired, or are about to. What is only not collected yet does not count: where it could be more than
   *  `limit`, memory is collected first. */
  countRetained(limit: number): Promise<number>;
  /** The trees that code of this process may still read from. */
  roots(): readonly string[];
  /** Ends every generation at once, and lets the process be as it was. */
  close(): Promise<void>;
}
