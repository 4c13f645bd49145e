/** Whether a module knows in which folder it is: what it reads from there differs from release to release. */

import { literalText, walk, type Node } from './transform/ast.ts';
import type { Rewrite } from './transform/rewrite.ts';

const metaWithoutLocation = new Set(['main', 'env', 'hot']);
const locationNames = new Set(['__dirname', '__filename']);
const locationMembers: Readonly<Record<string, ReadonlySet<string>>> = {
  require: new Set(['resolve']),
  module: new Set(['filename', 'path', 'paths']),
};

/** True for a specifier of what Node loads from the release's tree and keeps: an addon, or WebAssembly. */
export function isBinary(specifier: string): boolean {
  return /\.(?:node|wasm)$/.test(specifier);
}

/** True for a use of `import.meta`, `__dirname`, `__filename`, `require.resolve` or the like, and for who loads a binary file. */
export function usesLocation(rewrite: Rewrite): boolean {
  let isUsed = rewrite.requests.all.some(({ specifier }) => isBinary(specifier));
  walk(rewrite.program, (node) => {
    isUsed ||= isMeta(rewrite, node) || isFree(rewrite, node);
  });
  return isUsed;
}

function isMeta({ parents }: Rewrite, node: Node): boolean {
  if (node.type !== 'MetaProperty' || node.meta.name !== 'import') return false;
  const parent = parents.get(node);
  const names = parent?.type === 'VariableDeclarator' ? patternKeys(parent.id) : [memberName(node, parent)];
  return names.some((name) => name === null || !metaWithoutLocation.has(name));
}

/** The properties that a pattern takes; null among them where they are not known. */
function patternKeys(pattern: Node): (string | null)[] {
  if (pattern.type !== 'ObjectPattern') return [null];
  return pattern.properties.map((property) => {
    if (property.type !== 'Property' || property.computed) return null;
    return property.key.type === 'Identifier' ? property.key.name : null;
  });
}

function isFree({ parents, scopes }: Rewrite, node: Node): boolean {
  if (node.type !== 'Identifier' || scopes.references.get(node)?.variable !== null) return false;
  if (locationNames.has(node.name)) return true;
  const name = memberName(node, parents.get(node));
  return name !== null && locationMembers[node.name]?.has(name) === true;
}

/** The property of `object` that is used; null where it is used as a whole, or by a computed name. */
function memberName(object: Node, parent: Node | undefined): string | null {
  if (parent?.type !== 'MemberExpression' || parent.object !== object) return null;
  if (parent.computed) return literalText(parent.property);
  return parent.property.type === 'Identifier' ? parent.property.name : null;
}
