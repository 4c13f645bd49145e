/**
 * What belongs to one evaluated module: its timers, its process listeners, its origin. A module that generations share
 * lives as long as one of them does, and acts while one of them is current.
 */

import type { GenerationScope, GenerationStatus } from './generation-scope.ts';
import { createHotModule, type HotModule, type HotModuleOptions } from './hot-module.ts';
import { createLifetime, type Lifetime } from './lifetime.ts';
import { runAsModule, type ModuleOrigin } from './origin.ts';

export interface ModuleLife {
  readonly origin: ModuleOrigin;
  readonly lifetime: Lifetime;
  readonly hot: HotModule;
  /** The generations whose graph holds the module. */
  readonly users: Set<GenerationScope>;
}

/** The first of these that any user has is the module's own. */
const precedence: readonly GenerationStatus[] = ['current', 'previous', 'preparing', 'retired'];

export interface ModuleLifeOptions extends Omit<HotModuleOptions, 'isCurrent' | 'run'> {
  readonly scope: GenerationScope;
}

export function createModuleLife({ scope, ...options }: ModuleLifeOptions): ModuleLife {
  const users = new Set([scope]);
  const owner = {
    get status(): GenerationStatus {
      const statuses = new Set([...users].map(({ status }) => status));
      return precedence.find((status) => statuses.has(status)) ?? 'aborted';
    },
  };
  const origin: ModuleOrigin = { kind: 'module', path: options.path };
  const hot = createHotModule({
    ...options,
    isCurrent: () => owner.status === 'current',
    run: (callback) => runAsModule(origin, callback),
  });
  return { origin, lifetime: createLifetime(owner), hot, users };
}
