/**
 * Which module a name that another one exports really comes from. ECMA-262 16.2.1.7.2.2 ResolveExport and
 * 16.2.1.7.2.1 GetExportedNames, over the manifest's data: the build checks links with it, the runtime makes them.
 */

import type { ManifestModule } from './manifest.ts';

/** A module among those that it is linked with. */
export interface LinkNode<Node> {
  readonly manifest: ManifestModule;
  readonly dependency: (specifier: string, phase: 'static' | 'require') => LinkDependency<Node>;
}

export type LinkDependency<Node> =
  | { readonly kind: 'module'; readonly node: Node }
  | ForeignDependency
  | { readonly kind: 'missing' };

/** A module that Node itself loads. */
export interface ForeignDependency {
  readonly kind: 'foreign';
  /** Null as long as it is not loaded. */
  readonly names: ReadonlySet<string> | null;
  /** The loaded namespace, for the runtime's use. */
  readonly namespace: object | null;
}

export type ExportResolution<Node> =
  /** `node` itself has it, under `name`. */
  | { readonly kind: 'binding'; readonly node: Node; readonly name: string }
  | { readonly kind: 'foreign'; readonly dependency: ForeignDependency; readonly name: string }
  /** `export * as name from`. */
  | { readonly kind: 'namespace'; readonly dependency: LinkDependency<Node> }
  /** A module that is not loaded yet may have it. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'ambiguous' };

/** Finds where an export of `node` comes from. */
export function resolveExport<Node extends LinkNode<Node>>(node: Node, name: string): ExportResolution<Node> {
  return resolve(node, name, []);
}

/** What an import of `name` from a dependency means. */
export function resolveImport<Node extends LinkNode<Node>>(
  dependency: LinkDependency<Node>,
  name: string,
): ExportResolution<Node> {
  return resolveFrom(dependency, name, []);
}

/** The names that the namespace of `node` may have, unsorted; some may be ambiguous. */
export function exportedNames<Node extends LinkNode<Node>>(node: Node): Set<string> {
  const names = new Set<string>();
  collectNames(node, names, new Set());
  if (node.manifest.kind === 'cjs') names.add('default');
  return names;
}

type Visited<Node> = readonly { readonly node: Node; readonly name: string }[];

function resolve<Node extends LinkNode<Node>>(
  node: Node,
  name: string,
  visited: Visited<Node>,
): ExportResolution<Node> {
  // A circular request: no resolution on this path. Step 2.
  if (visited.some((seen) => seen.node === node && seen.name === name)) return { kind: 'missing' };
  const { manifest } = node;
  if (manifest.localExports.includes(name)) return { kind: 'binding', node, name };
  if (manifest.kind === 'cjs') return resolveCommonJs(node, name);
  const path = [...visited, { node, name }];
  const indirect = manifest.indirectExports.find((candidate) => candidate.name === name);
  if (indirect !== undefined) {
    const dependency = node.dependency(indirect.specifier, 'static');
    if (indirect.imported === '*') return { kind: 'namespace', dependency };
    return resolveFrom(dependency, indirect.imported, path);
  }
  // A default export is never provided by `export *`. Step 6.
  return name === 'default' ? { kind: 'missing' } : resolveStar(node, name, path);
}

function resolveFrom<Node extends LinkNode<Node>>(
  dependency: LinkDependency<Node>,
  name: string,
  visited: Visited<Node>,
): ExportResolution<Node> {
  if (dependency.kind === 'missing') return { kind: 'unknown' };
  if (dependency.kind === 'module') return resolve(dependency.node, name, visited);
  if (dependency.names === null) return { kind: 'unknown' };
  return dependency.names.has(name) ? { kind: 'foreign', dependency, name } : { kind: 'missing' };
}

function resolveStar<Node extends LinkNode<Node>>(
  node: Node,
  name: string,
  visited: Visited<Node>,
): ExportResolution<Node> {
  let found: ExportResolution<Node> = { kind: 'missing' };
  for (const specifier of node.manifest.starExports) {
    const next = resolveFrom(node.dependency(specifier, 'static'), name, visited);
    if (next.kind === 'ambiguous') return next;
    if (next.kind === 'missing') continue;
    if (found.kind === 'missing' || found.kind === 'unknown') found = next;
    else if (next.kind !== 'unknown' && !isSame(found, next)) return { kind: 'ambiguous' };
  }
  return found;
}

/** The names of `module.exports` are only a guess before it is evaluated; what it may have by a foreign module is let pass. */
function resolveCommonJs<Node extends LinkNode<Node>>(node: Node, name: string): ExportResolution<Node> {
  const names = new Set(['default', 'module.exports']);
  const isComplete = collectNames(node, names, new Set());
  return names.has(name) || !isComplete ? { kind: 'binding', node, name } : { kind: 'missing' };
}

/** Adds the names of a module; false when there may be more. */
function collectNames<Node extends LinkNode<Node>>(
  node: Node,
  names: Set<string>,
  visited: Set<Node>,
): boolean {
  if (visited.has(node)) return true;
  visited.add(node);
  const { localExports, indirectExports, starExports, kind } = node.manifest;
  // A name like any other: stars pass it on, as Node's do.
  if (kind === 'cjs') names.add('module.exports');
  for (const name of localExports) names.add(name);
  for (const { name } of indirectExports) names.add(name);
  let isComplete = true;
  for (const specifier of starExports) {
    const found = new Set<string>();
    const dependency = node.dependency(specifier, kind === 'cjs' ? 'require' : 'static');
    const isWhole = collectDependencyNames(dependency, found, visited);
    isComplete &&= isWhole;
    for (const name of found) if (name !== 'default') names.add(name);
  }
  return isComplete;
}

function collectDependencyNames<Node extends LinkNode<Node>>(
  dependency: LinkDependency<Node>,
  names: Set<string>,
  visited: Set<Node>,
): boolean {
  if (dependency.kind === 'module') return collectNames(dependency.node, names, visited);
  if (dependency.kind === 'missing' || dependency.names === null) return false;
  for (const name of dependency.names) names.add(name);
  return true;
}

function isSame<Node>(left: ExportResolution<Node>, right: ExportResolution<Node>): boolean {
  if (left.kind === 'binding' && right.kind === 'binding')
    return left.node === right.node && left.name === right.name;
  if (left.kind === 'foreign' && right.kind === 'foreign') return isSameForeign(left, right);
  if (left.kind === 'namespace' && right.kind === 'namespace')
    return isSameDependency(left.dependency, right.dependency);
  return false;
}

interface ForeignExport {
  readonly dependency: ForeignDependency;
  readonly name: string;
}

/** Two foreign modules may give the same thing by different paths; whether it is, its value tells. */
function isSameForeign(left: ForeignExport, right: ForeignExport): boolean {
  const valueOf = ({ dependency, name }: ForeignExport): unknown =>
    Reflect.get(dependency.namespace ?? {}, name);
  return left.dependency === right.dependency ? left.name === right.name : valueOf(left) === valueOf(right);
}

function isSameDependency<Node>(left: LinkDependency<Node>, right: LinkDependency<Node>): boolean {
  if (left.kind === 'module' && right.kind === 'module') return left.node === right.node;
  return left === right;
}
