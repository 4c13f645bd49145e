/** `import.meta.hot`: what an app is given. The interface is Vite's; docs/reference/import-meta-hot.md says what differs. */

/** The exports of a module, as `import()` gives them. */
// oxlint-disable-next-line typescript/no-explicit-any -- what a module exports is known to who accepts it, not here.
export type ModuleNamespace = Record<string, any> & { readonly [Symbol.toStringTag]: 'Module' };

/** What one version of a module leaves for the next. */
// oxlint-disable-next-line typescript/no-explicit-any -- the module's own affair, as in Vite.
export type HotData = Record<string, any>;

/** One module in an update. */
export interface HotUpdate {
  readonly type: 'js-update';
  /** The module that stays, or is replaced in place. */
  readonly path: string;
  /** The module whose new version it has. */
  readonly acceptedPath: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

export interface HotUpdatePayload {
  readonly type: 'update';
  readonly updates: readonly HotUpdate[];
}

export interface HotPrunePayload {
  readonly type: 'prune';
  readonly paths: readonly string[];
}

export interface HotFullReloadPayload {
  readonly type: 'full-reload';
  readonly path?: string;
}

export interface HotInvalidatePayload {
  readonly path: string;
  readonly message: string | undefined;
  readonly firstInvalidatedBy: string;
}

export interface HotErrorPayload {
  readonly type: 'error';
  readonly err: { readonly message: string; readonly stack: string };
}

/** What each event carries; extend it for events of your own. */
export interface HotEventMap {
  /** The new version is about to become current. */
  'vite:beforeUpdate': HotUpdatePayload;
  /** It is current. */
  'vite:afterUpdate': HotUpdatePayload;
  /** Modules that nothing imports any more are about to be disposed. */
  'vite:beforePrune': HotPrunePayload;
  /** Another process is about to take over. */
  'vite:beforeFullReload': HotFullReloadPayload;
  'vite:invalidate': HotInvalidatePayload;
  /** A new version failed and was dropped. */
  'vite:error': HotErrorPayload;
  /** There is no such connection; it never comes. */
  'vite:ws:connect': unknown;
  /** There is no such connection; it never comes. */
  'vite:ws:disconnect': unknown;
}

export type HotEventPayload<Event extends string> = Event extends keyof HotEventMap
  ? HotEventMap[Event]
  : unknown;

/** `import.meta.hot` of one version of a module. */
export interface HotContext {
  /** What the version before left; for the version after this one to find. */
  readonly data: HotData;
  /** Lets this module be replaced in place: its importers stay. The callback gets the new version's exports. */
  accept(): void;
  accept(callback: (module: ModuleNamespace | undefined) => void): void;
  /** Stays when a direct dependency is replaced. */
  accept(dependency: string, callback?: (module: ModuleNamespace | undefined) => void): void;
  accept(
    dependencies: readonly string[],
    callback?: (modules: (ModuleNamespace | undefined)[]) => void,
  ): void;
  /** As `accept()`, for importers that use none but these exports. */
  acceptExports(
    names: string | readonly string[],
    callback?: (module: ModuleNamespace | undefined) => void,
  ): void;
  /** Called, and waited for, when this version has been replaced and its work has ended. */
  dispose(callback: (data: HotData) => void | Promise<void>): void;
  /** Called when no module imports this one any more. */
  prune(callback: (data: HotData) => void | Promise<void>): void;
  /** This module can't be replaced in a running process: a new process takes over. */
  decline(): void;
  /** What was accepted can't be made use of: the importers are evaluated again, too. */
  invalidate(message?: string): void;
  on<Event extends string>(event: Event, callback: (payload: HotEventPayload<Event>) => void): void;
  off<Event extends string>(event: Event, callback: (payload: HotEventPayload<Event>) => void): void;
  /** Tells whoever runs the runtime. */
  send(event: string, data?: unknown): void;
}

declare global {
  interface ImportMeta {
    /** There where Midflight runs the module; absent elsewhere. */
    readonly hot?: HotContext;
  }
}
