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
  const nodes = createNodes(modules);
  const found = [...(only ?? modules.keys())].flatMap((path) => findProblems(nodes(path), modules));
  if (found.length === 0) return [];
  const reached = reach(modules, entry, ['static', 'require', 'dynamic']);
  const needed = reach(modules, entry, ['static', 'require']);
  // What only `import()` leads to may be there for another environment, with packages that this one lacks.
  const counts = ({ path, isUnresolved }: Problem): boolean => (isUnresolved ? needed : reached).has(path);
  return found.filter(counts).map(({ error }) => error);
}

interface Problem {
  readonly path: string;
  readonly isUnresolved: boolean;
  readonly error: MidflightError;
}

function findProblems(node: BuildNode | undefined, modules: ManifestModules): Problem[] {
  if (node === undefined) return [];
  const { path } = node.manifest;
  const others = [...wrongAttributes(node.manifest, modules), ...unlinkedImports(node)];
  return [
    ...unresolvedRequests(node.manifest).map((error) => ({ path, isUnresolved: true, error })),
    ...others.map((error) => ({ path, isUnresolved: false, error })),
  ];
}

interface BuildNode extends LinkNode<BuildNode> {}

/** Makes nodes as they are asked for. */
function createNodes(modules: ManifestModules): (path: string) => BuildNode | undefined {
  const nodes = new Map<string, BuildNode>();
  const nodeAt = (path: string): BuildNode | undefined => {
    const known = nodes.get(path);
    const manifest = modules.get(path);
    if (known !== undefined || manifest === undefined) return known;
    const dependency: BuildNode['dependency'] = (specifier, phase) =>
      toDependency(
        nodeAt,
        manifest.requests.find((request) => request.specifier === specifier && request.phase === phase)
          ?.target,
      );
    const node = { manifest, dependency };
    nodes.set(path, node);
    return node;
  };
  return nodeAt;
}

function toDependency(
  nodeAt: (path: string) => BuildNode | undefined,
  target: RequestTarget | undefined,
): LinkDependency<BuildNode> {
  if (target === undefined || target.kind === 'missing') return { kind: 'missing' };
  if (target.kind !== 'module') return { kind: 'foreign', names: null, namespace: null };
  const node = nodeAt(target.path);
  return node === undefined ? { kind: 'missing' } : { kind: 'module', node };
}

function reach(modules: ManifestModules, entry: string, phases: readonly RequestPhase[]): Set<string> {
  const reached = new Set<string>([entry]);
  for (const path of reached) {
    for (const { phase, target } of modules.get(path)?.requests ?? []) {
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
    const target = request.target.kind === 'module' ? modules.get(request.target.path) : undefined;
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
