/** Which states a module declares by `state()`, as far as its text tells. */

import { literalText, walk, type Node, type Of } from './transform/ast.ts';
import type { Rewrite } from './transform/rewrite.ts';
import type { Variable } from './transform/scope.ts';
import { positionAt } from './transform/syntax-error.ts';
import type { StateUse } from '../protocol/manifest.ts';

const ownPackage = 'midflight';

/** Finds the calls of `state()`, in source order. A module that gets `midflight` in a way that hides them has one without a name. */
export function analyseStates(rewrite: Rewrite): readonly StateUse[] {
  const request = rewrite.requests.all.find(({ specifier }) => specifier === ownPackage);
  if (request === undefined) return [];
  const names = importedNames(rewrite);
  if (request.phase !== 'static' || names === null) return [{ name: null, version: null, line: 1 }];
  const uses: { readonly start: number; readonly call: Of<'CallExpression'> | null }[] = [];
  walk(rewrite.program, (node) => {
    const variable = rewrite.scopes.references.get(node)?.variable ?? null;
    if (variable === null || !names.has(variable)) return;
    const parent = rewrite.parents.get(node);
    const isCall = parent?.type === 'CallExpression' && parent.callee === node;
    uses.push({ start: node.start, call: isCall ? parent : null });
  });
  return uses
    .toSorted((left, right) => left.start - right.start)
    .map(({ start, call }) => toUse(call, positionAt(rewrite.source, start).line));
}

/** The variables that are `state`; null where it may be had by another way, such as a namespace. */
function importedNames({ program, scopes }: Rewrite): ReadonlySet<Variable> | null {
  const found = new Set<Variable>();
  for (const node of program.body) {
    const isImport = node.type === 'ImportDeclaration';
    if (!isImport && node.type !== 'ExportNamedDeclaration' && node.type !== 'ExportAllDeclaration') continue;
    if (node.source?.value !== ownPackage) continue;
    if (!isImport) return null;
    for (const specifier of node.specifiers) {
      if (specifier.type !== 'ImportSpecifier') return null;
      const { imported, local } = specifier;
      const name = imported.type === 'Identifier' ? imported.name : imported.value;
      const variable = name === 'state' ? scopes.declared.get(local) : undefined;
      if (variable !== undefined) found.add(variable);
    }
  }
  return found;
}

/** Without a call it is passed on, and called elsewhere. */
function toUse(call: Of<'CallExpression'> | null, line: number): StateUse {
  if (call === null) return { name: null, version: null, line };
  const [name, , options] = call.arguments;
  return { name: literalText(name), version: versionOf(options), line };
}

function versionOf(options: Node | undefined): number | null {
  if (options === undefined) return 0;
  if (options.type !== 'ObjectExpression') return null;
  let version: number | null = 0;
  for (const property of options.properties) {
    if (property.type !== 'Property' || property.computed) return null;
    const name = property.key.type === 'Identifier' ? property.key.name : literalText(property.key);
    if (name !== 'version') continue;
    const { value } = property;
    version = value.type === 'Literal' && typeof value.value === 'number' ? value.value : null;
  }
  return version;
}
