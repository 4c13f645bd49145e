/** Are all imports between the app's own modules there? Known before anything runs. */

import { MidflightError } from '../errors.ts';
import type { ManifestModule, ManifestModules, RequestPhase, RequestTarget } from '../protocol/manifest.ts';
import { checkAttribute } from '../protocol/import-attributes.ts';
import { resolveImport, type LinkDependency, type LinkNode } from '../protocol/resolve-export.ts';

/** Checks the modules that can be reached from `entry`, or those of them that are in `only`; a problem for each import that
 *  can't be linked. */
export function checkLinks(
  modules: ManifestModules,
  entry: string,
  only: ReadonlySet<string> | null = null,
): MidflightError[] {
  if (only?.size === 0) return [];
  const needed = reach(modules, entry, ['static', 'require']);
  const nodes = createNodes(modules);
  return [...reach(modules, entry, ['static', 'require', 'dynamic'])].flatMap((path) => {
    const node = only === null || only.has(path) ? nodes.get(path) : undefined;
    if (node === undefined) return [];
    // What only `import()` leads to may be there for another environment, with packages that this one lacks.
    const unresolved = needed.has(path) ? unresolvedRequests(node.manifest) : [];
    return [...unresolved, ...wrongAttributes(node.manifest, modules), ...unlinkedImports(node)];
  });
}

interface BuildNode extends LinkNode<BuildNode> {}

function createNodes(modules: ManifestModules): Map<string, BuildNode> {
  const nodes = new Map<string, BuildNode>();
  for (const manifest of Object.values(modules)) {
    const targets = new Map(
      manifest.requests.map(({ specifier, phase, target }) => [`${phase} ${specifier}`, target]),
    );
    const dependency: BuildNode['dependency'] = (specifier, phase) =>
      toDependency(nodes, targets.get(`${phase} ${specifier}`));
    nodes.set(manifest.path, { manifest, dependency });
  }
  return nodes;
}

function toDependency(
  nodes: Map<string, BuildNode>,
  target: RequestTarget | undefined,
): LinkDependency<BuildNode> {
  if (target === undefined || target.kind === 'missing') return { kind: 'missing' };
  if (target.kind !== 'module') return { kind: 'foreign', names: null, namespace: null };
  const node = nodes.get(target.path);
  return node === undefined ? { kind: 'missing' } : { kind: 'module', node };
}

function reach(modules: ManifestModules, entry: string, phases: readonly RequestPhase[]): Set<string> {
  const reached = new Set<string>([entry]);
  for (const path of reached) {
    for (const { phase, target } of modules[path]?.requests ?? []) {
      if (target.kind === 'module' && phases.includes(phase)) reached.add(target.path);
    }
  }
  return reached;
}

function unresolvedRequests({ path, requests }: ManifestModule): MidflightError[] {
  return requests.flatMap(({ specifier, phase, target }) =>
    phase === 'static' && target.kind === 'missing'
      ? [new MidflightError('ERR_MIDFLIGHT_MODULE_UNRESOLVED', [path, specifier, target.reason])]
      : [],
  );
}

function wrongAttributes(importer: ManifestModule, modules: ManifestModules): MidflightError[] {
  return importer.requests.flatMap((request) => {
    const target = request.target.kind === 'module' ? modules[request.target.path] : undefined;
    return (target === undefined ? null : checkAttribute(importer, request, target)) ?? [];
  });
}

function unlinkedImports(node: BuildNode): MidflightError[] {
  const { path, imports, indirectExports } = node.manifest;
  const asked = [
    // A namespace may lack a name: it is undefined there.
    ...imports.filter(({ member }) => member === undefined),
    ...indirectExports.map(({ specifier, imported }) => ({ specifier, name: imported })),
  ];
  const problems = asked.flatMap(({ specifier, name }): MidflightError[] => {
    if (name === '*') return [];
    const { kind } = resolveImport(node.dependency(specifier, 'static'), name);
    if (kind === 'missing')
      return [new MidflightError('ERR_MIDFLIGHT_EXPORT_MISSING', [path, name, specifier])];
    if (kind === 'ambiguous')
      return [new MidflightError('ERR_MIDFLIGHT_EXPORT_AMBIGUOUS', [path, name, specifier])];
    return [];
  });
  return [...new Map(problems.map((problem) => [problem.message, problem])).values()];
}
