/** A version of a plugin that has been evaluated, wherever it runs. */

import type { Call, Found } from './contract.ts';
import type { Plugin } from './plugin-api.ts';
import type { PluginRelease } from './plugin-release.ts';

export interface RunningVersion {
  readonly release: PluginRelease;
  /** As its definition, else its source, says. */
  readonly version: string | null;
  readonly label: string;
  /** Names and ranges of the plugins that it needs. */
  readonly requires: Readonly<Record<string, string>>;
  /** Runs `setup` with what it needs, and asks for its health. Once, before anything else.
   *  Errors: ERR_MIDFLIGHT_PLUGIN_SETUP_FAILED, ERR_MIDFLIGHT_PLUGIN_UNHEALTHY. */
  setUp(plugins: Readonly<Record<string, Plugin>>): Promise<void>;
  /** Of all that it exports, once it is set up. */
  readonly names: readonly string[];
  /** What it exports under a name. */
  find(name: string): Found;
  /** The function to call for one that `find` has found. */
  toCall(name: string): Call;
  /** Calls whose promise is not settled yet; whoever makes them counts. */
  inFlightCount: number;
  /** A call has not answered in time, and its end is nobody's any more. */
  noteTimeout(): void;
  /** Resolves with the reason when it has ended by itself and can be called no more, as a thread may. Null: never. */
  readonly stopped: Promise<Error> | null;
  /** What has to be waited for before `commit`: states come from another thread. Nobody is called meanwhile. Null: nothing, a
   *  commit is one step.
   *  Errors: those of a state; then `before` is to be called again, by its `goBack`. */
  readonly takeOver: ((before: RunningVersion | null) => Promise<void>) | null;
  /** Synchronously: it is the one that is called from now on; its states are those of the plugin, its intervals act.
   *  Errors: those of a state's migration; nothing has changed then. */
  commit(): void;
  /** Synchronously: the current one is called again, and this one never more. */
  goBack(): void;
  /** Synchronously: another is called from now on; it stays whole, and may be committed again by `goBack` of that. */
  pause(): void;
  /** Synchronously: the versions before it will not be called again. */
  prove(): void;
  /** Waits for the calls in flight, disposes, and lets go of everything. Never rejects. */
  end(drainTimeoutMs: number): Promise<void>;
}
