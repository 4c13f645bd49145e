/** Exports that are always the same function, and one to which it makes no difference what it is called on. */

import { eachChild, isFunction, type Node } from './ast.ts';
import type { EsmBindings } from './esm-bindings.ts';
import type { Rewrite } from './rewrite.ts';
import type { Variable } from './scope.ts';

/** The names of such exports. */
export function exportsIgnoringThis({ program }: Rewrite, { exportsOf }: EsmBindings): string[] {
  const names = [...exportsOf].flatMap(([variable, exported]) => {
    const value = constantValue(variable);
    return value !== null && ignoresThis(value) ? exported : [];
  });
  const fallback = program.body.find((statement) => statement.type === 'ExportDefaultDeclaration');
  const isIgnoring =
    fallback !== undefined && isAnonymous(fallback.declaration) && ignoresThis(fallback.declaration);
  return isIgnoring ? [...names, 'default'] : names;
}

/** What a variable that is never written again was declared with. */
function constantValue({ defs, references }: Variable): Node | null {
  const [definition] = defs;
  if (definition === undefined || defs.length > 1) return null;
  if (references.some((reference) => reference.isWrite() && reference.init !== true)) return null;
  const node = definition.node as unknown as Node;
  if (node.type === 'FunctionDeclaration') return node;
  const isPlain = node.type === 'VariableDeclarator' && node.id.type === 'Identifier';
  return isPlain ? node.init : null;
}

/** A named one may be written by its name, and is found by that. */
function isAnonymous(node: Node): boolean {
  return !('id' in node) || node.id === null;
}

function ignoresThis(node: Node): boolean {
  if (node.type === 'ArrowFunctionExpression') return true;
  return isFunction(node) && !someChild(node, usesThis);
}

/** `eval` may use it unseen. Functions in it have their own, but arrows. */
function usesThis(node: Node): boolean {
  if (node.type === 'ThisExpression' || (node.type === 'Identifier' && node.name === 'eval')) return true;
  if (isFunction(node) && node.type !== 'ArrowFunctionExpression') return false;
  return someChild(node, usesThis);
}

function someChild(node: Node, test: (child: Node) => boolean): boolean {
  let isFound = false;
  eachChild(node, (child) => {
    isFound ||= test(child);
  });
  return isFound;
}
