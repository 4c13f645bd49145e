/** The modules of a plan as a tree: what differs, and under it what is evaluated again because of it. */

import type { ModuleChange } from './module-changes.ts';

export interface PlanNode {
  readonly module: ModuleChange;
  readonly children: readonly PlanNode[];
  /** How many are under it that are not among the children. */
  readonly hiddenCount: number;
}

export interface PlanTree {
  readonly roots: readonly PlanNode[];
  readonly hiddenCount: number;
}

export interface TreeLimits {
  readonly roots: number;
  readonly children: number;
}

/** Each module stands under the one that pulls it in; what differs itself is a root. */
export function toPlanTree(modules: readonly ModuleChange[], limits: TreeLimits): PlanTree {
  const paths = new Set(modules.map(({ path }) => path));
  const byCause = new Map<string, ModuleChange[]>();
  const roots: ModuleChange[] = [];
  for (const module of modules) {
    const [cause] = module.because;
    if (module.change !== 'reached' || cause === undefined || !paths.has(cause)) roots.push(module);
    else byCause.set(cause, [...(byCause.get(cause) ?? []), module]);
  }
  const countUnder = (path: string): number =>
    (byCause.get(path) ?? []).reduce((count, child) => count + 1 + countUnder(child.path), 0);
  const toNode = (module: ModuleChange): PlanNode => {
    const children = byCause.get(module.path) ?? [];
    const hidden = children.slice(limits.children);
    return {
      module,
      children: children.slice(0, limits.children).map((child) => toNode(child)),
      hiddenCount: hidden.reduce((count, child) => count + 1 + countUnder(child.path), 0),
    };
  };
  const hidden = roots.slice(limits.roots);
  return {
    roots: roots.slice(0, limits.roots).map((root) => toNode(root)),
    hiddenCount: hidden.reduce((count, root) => count + 1 + countUnder(root.path), 0),
  };
}
