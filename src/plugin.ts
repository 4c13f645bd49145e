/** What a host, or a plugin, imports from `midflight/plugin`. */

export { definePlugin } from './plugin/define-plugin.ts';
export type { PluginContext, PluginDefinition } from './plugin/define-plugin.ts';
export { fn } from './plugin/contract.ts';
export type { Contract, Contracted, FunctionContract } from './plugin/contract.ts';
export { openPlugin } from './plugin/open-plugin.ts';
export type { OpenOptions, ThreadOpenOptions } from './plugin/open-plugin.ts';
export type { InThread, Plugin, PluginEvents, ThreadPlugin } from './plugin/plugin-api.ts';
export type { StandardSchema } from './plugin/standard-schema.ts';
export { watchPlugins } from './plugin/watch-plugins.ts';
export type { PluginSet, ThreadPluginSet, WatchedPlugin, WatchEvents } from './plugin/watch-plugins.ts';
export type { ThreadLimits, ThreadPermissions } from './plugin/thread/isolation.ts';
