/**
 * What belongs to one evaluated module: its timers, its process listeners, its origin. A module that generations share
 * lives as long as one of them does, and acts while one of them is current. Most modules start nothing, so what they would
 * start it with is made when they ask.
 */

import type { GenerationStatus } from './generation-scope.ts';
import { createHotModule, type HotModule, type HotModuleOptions } from './hot-module.ts';
import { createLifetime, type Lifetime } from './lifetime.ts';
import { runAsModule, type ModuleOrigin } from './origin.ts';

export interface ModuleLife {
  readonly origin: ModuleOrigin;
  readonly lifetime: Lifetime;
  readonly hot: HotModule;
  /** The same, null for a module that has not asked for it. */
  readonly opened: { readonly lifetime: Lifetime | null; readonly hot: HotModule | null };
}

/** The first of these that any generation with the module has is the module's own. */
const precedence: readonly GenerationStatus[] = ['current', 'previous', 'preparing', 'retired'];

export interface ModuleLifeOptions extends Omit<HotModuleOptions, 'isCurrent' | 'run'> {
  /** The statuses of the generations whose graph holds the module. */
  readonly statusesOf: (life: ModuleLife) => readonly GenerationStatus[];
  /** It may have something open from now on. */
  readonly onOpened: (life: ModuleLife) => void;
}

export function createModuleLife({ statusesOf, onOpened, ...options }: ModuleLifeOptions): ModuleLife {
  const origin: ModuleOrigin = { kind: 'module', path: options.path };
  const opened: { lifetime: Lifetime | null; hot: HotModule | null } = { lifetime: null, hot: null };
  const owner = {
    get status(): GenerationStatus {
      const statuses = statusesOf(life);
      return precedence.find((status) => statuses.includes(status)) ?? 'aborted';
    },
  };
  const open = <Part>(part: Part): Part => {
    onOpened(life);
    return part;
  };
  const life: ModuleLife = {
    origin,
    opened,
    get lifetime() {
      return (opened.lifetime ??= open(createLifetime(owner)));
    },
    get hot() {
      return (opened.hot ??= open(
        createHotModule({
          ...options,
          isCurrent: () => owner.status === 'current',
          run: (callback) => runAsModule(origin, callback),
        }),
      ));
    },
  };
  return life;
}
