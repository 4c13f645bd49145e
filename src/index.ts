/** What an app imports from `midflight`. */

import type { ConfigInput } from './release/config.ts';

export { state } from './runtime/state.ts';
export type { EncodedStateOptions, StateOptions, StateStep } from './runtime/state-options.ts';
export type { ConfigInput } from './release/config.ts';
export type {
  HotContext,
  HotData,
  HotErrorPayload,
  HotEventMap,
  HotEventPayload,
  HotFullReloadPayload,
  HotInvalidatePayload,
  HotPrunePayload,
  HotUpdate,
  HotUpdatePayload,
  ModuleNamespace,
} from './runtime/hot-context.ts';

/** Gives a configuration its type: `export default defineConfig({ … })` in `midflight.config.ts`. Returns its argument. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
