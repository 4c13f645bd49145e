/** What an app imports from `midflight`. */

export { state, type StateOptions } from './runtime/state.ts';
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
