/**
 * What one version of a module has said through its `import.meta.hot`.
 * Owns its callbacks, and ends them with the version.
 */

import type { HotContext, HotData, ModuleNamespace } from './hot-context.ts';
import type { HotEvents } from './hot-events.ts';

/** How long a version may take over its `dispose` and `prune` callbacks. */
const DISPOSE_TIMEOUT_MS = 10_000;

export interface HotModuleOptions {
  readonly path: string;
  readonly data: HotData;
  readonly events: HotEvents;
  /** The path of the module that a specifier of this one means; null for what is no module of the app. */
  readonly resolve: (specifier: string) => string | null;
  readonly isCurrent: () => boolean;
  /** Runs a callback as code of this module. */
  readonly run: <Result>(callback: () => Result) => Result;
  /** `isCurrent`: said by code that goes on, whatever becomes of what is being prepared. */
  readonly onInvalidate: (path: string, message: string | undefined, isCurrent: boolean) => void;
  readonly onMessage: (event: string, data: unknown) => void;
}

export interface HotModule {
  readonly context: HotContext;
  readonly data: HotData;
  /** Whether it has accepted itself (null), or a dependency by its path. */
  hasAccepted(dependency: string | null): boolean;
  readonly hasDeclined: boolean;
  /** Calls what was given to `accept` for the modules that have new versions. Throws what a callback throws. */
  notify(updated: ReadonlyMap<string, object>): void;
  /** Calls, and waits for, the `dispose` callbacks, and those of `prune` for a module that is gone. `data` is that of the
   *  version after this one. Never rejects: what they throw is reported. Null where there is nothing to wait for. */
  end(options: { readonly data: HotData; readonly isPruned: boolean }): Promise<void> | null;
}

interface Acceptance {
  /** Null: this module itself. */
  readonly dependencies: readonly string[] | null;
  readonly callback: ((modules: (ModuleNamespace | undefined)[]) => void) | null;
}

type Disposer = (data: HotData) => void | Promise<void>;

export function createHotModule(options: HotModuleOptions): HotModule {
  return new VersionedHotModule(options);
}

class VersionedHotModule implements HotModule {
  readonly data: HotData;
  hasDeclined = false;
  readonly #options: HotModuleOptions;
  readonly #acceptances: Acceptance[] = [];
  readonly #disposers: Disposer[] = [];
  readonly #pruners: Disposer[] = [];
  readonly #listeners = new Map<string, Map<unknown, () => void>>();

  constructor(options: HotModuleOptions) {
    this.#options = options;
    this.data = options.data;
  }

  readonly context: HotContext = this.#createContext();

  hasAccepted(dependency: string | null): boolean {
    return this.#acceptances.some(({ dependencies }) =>
      dependency === null ? dependencies === null : dependencies?.includes(dependency) === true,
    );
  }

  notify(updated: ReadonlyMap<string, object>): void {
    const { path, run } = this.#options;
    for (const { dependencies, callback } of this.#acceptances.slice()) {
      const paths = dependencies ?? [path];
      if (callback === null || !paths.some((each) => updated.has(each))) continue;
      run(() => callback(paths.map((each) => updated.get(each) as ModuleNamespace | undefined)));
    }
  }

  end({ data, isPruned }: { data: HotData; isPruned: boolean }): Promise<void> | null {
    for (const listeners of this.#listeners.values()) for (const remove of listeners.values()) remove();
    this.#listeners.clear();
    const callbacks = [...this.#disposers, ...(isPruned ? this.#pruners : [])];
    // Code of other modules may live on and lead here; it must not keep this one's.
    for (const list of [this.#acceptances, this.#disposers, this.#pruners]) list.length = 0;
    return callbacks.length === 0 ? null : this.#wait(this.#call(callbacks, data));
  }

  async #wait(ended: Promise<void>): Promise<void> {
    const { promise: expired, resolve } = Promise.withResolvers<'expired'>();
    const timeout = setTimeout(resolve, DISPOSE_TIMEOUT_MS, 'expired');
    const result = await Promise.race([expired, ended]);
    clearTimeout(timeout);
    if (result !== 'expired') return;
    console.error(
      `${this.#options.path}: import.meta.hot.dispose() has not ended after ${DISPOSE_TIMEOUT_MS} ms`,
    );
  }

  async #call(callbacks: readonly Disposer[], data: HotData): Promise<void> {
    const { path, run } = this.#options;
    for (const callback of callbacks) {
      try {
        await run(() => callback(data));
      } catch (error) {
        console.error(`${path}: import.meta.hot.dispose() failed:`, error);
      }
    }
  }

  #createContext(): HotContext {
    const accept = (first?: unknown, second?: unknown): void => {
      if (typeof first === 'string')
        this.#accept([first], second, (callback, modules) => callback(modules[0]));
      else if (Array.isArray(first)) this.#accept(first, second, (callback, modules) => callback(modules));
      else this.#acceptSelf(first);
    };
    const owner = (): VersionedHotModule => this;
    return {
      get data() {
        return owner().data;
      },
      accept,
      acceptExports: (_, callback) => this.#acceptSelf(callback),
      dispose: (callback) => void this.#disposers.push(callback),
      prune: (callback) => void this.#pruners.push(callback),
      decline: () => {
        this.hasDeclined = true;
      },
      invalidate: (message) => {
        const { path, isCurrent, onInvalidate } = this.#options;
        onInvalidate(path, message, isCurrent());
      },
      on: (event, callback) => this.#on(event, callback),
      off: (event, callback) => this.#off(event, callback),
      send: (event, data) => this.#options.onMessage(event, data),
    };
  }

  #acceptSelf(callback: unknown): void {
    const call = callback as (module: ModuleNamespace | undefined) => void;
    this.#acceptances.push({
      dependencies: null,
      callback: typeof callback === 'function' ? ([module]) => call(module) : null,
    });
  }

  #accept(
    specifiers: readonly unknown[],
    callback: unknown,
    call: (callback: (argument: unknown) => void, modules: (ModuleNamespace | undefined)[]) => void,
  ): void {
    const paths = specifiers.map((specifier) => this.#options.resolve(String(specifier)));
    const dependencies = paths.filter((path) => path !== null);
    const toCall = callback as (argument: unknown) => void;
    this.#acceptances.push({
      dependencies,
      callback: typeof callback === 'function' ? (modules) => call(toCall, modules) : null,
    });
  }

  #on(event: string, listener: (payload: never) => void): void {
    const { events, isCurrent, run } = this.#options;
    const listeners = this.#listeners.get(event) ?? new Map<unknown, () => void>();
    this.#listeners.set(event, listeners);
    const removeOthers = listeners.get(listener);
    const remove = events.on(event, { listener, isCurrent, run });
    listeners.set(listener, () => {
      removeOthers?.();
      remove();
    });
  }

  #off(event: string, listener: unknown): void {
    const listeners = this.#listeners.get(event);
    listeners?.get(listener)?.();
    listeners?.delete(listener);
  }
}
