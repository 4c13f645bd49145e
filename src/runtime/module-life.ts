/**
 * What belongs to one evaluated module: its timers, its process listeners, its origin. A module that generations share
 * lives as long as one of them does, and acts while one of them is current.
 */

import type { GenerationScope, GenerationStatus } from './generation-scope.ts';
import { createLifetime, type Lifetime } from './lifetime.ts';
import type { ModuleOrigin } from './origin.ts';

export interface ModuleLife {
  readonly origin: ModuleOrigin;
  readonly lifetime: Lifetime;
  /** The generations whose graph holds the module. */
  readonly users: Set<GenerationScope>;
}

/** The first of these that any user has is the module's own. */
const precedence: readonly GenerationStatus[] = ['current', 'previous', 'preparing', 'retired'];

export function createModuleLife(path: string, scope: GenerationScope): ModuleLife {
  const users = new Set([scope]);
  const owner = {
    get status(): GenerationStatus {
      const statuses = new Set([...users].map(({ status }) => status));
      return precedence.find((status) => statuses.has(status)) ?? 'aborted';
    },
  };
  return { origin: { kind: 'module', path }, lifetime: createLifetime(owner), users };
}
