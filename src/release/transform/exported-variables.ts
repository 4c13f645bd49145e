/** Each write of a variable that an ES module exports is one of its environment, too: `a = 1` → `$e.a=a = 1`. */

import type { Node, Of } from './ast.ts';
import { declaredIdentifiers, patternIdentifiers, propertyOf, type EsmBindings } from './esm-bindings.ts';
import { findText, guardStatement, statementsOf, type Rewrite } from './rewrite.ts';

/** The rewriting of a module that exports. */
export interface Exporting extends Rewrite {
  readonly bindings: EsmBindings;
  /** Writes that come before evaluation: what is hoisted is there for the modules of a cycle. */
  readonly hoisted: string[];
}

/** `$e.a=$e.b=` for an identifier exported under both names; empty for one that is not exported. */
export function exportPrefix({ bindings, names, scopes }: Exporting, identifier: Node): string {
  const variable = scopes.references.get(identifier)?.variable ?? scopes.declared.get(identifier);
  const exported = variable === undefined ? [] : (bindings.exportsOf.get(variable) ?? []);
  return exported.map((name) => `${propertyOf(names.environment, name)}=`).join('');
}

/** The writes for the exported variables that a pattern assigns, each `$e.a=a`. */
function writesFor(body: Exporting, pattern: Node): string[] {
  return patternIdentifiers(pattern).flatMap((identifier) => {
    const prefix = exportPrefix(body, identifier);
    return prefix === '' ? [] : [`${prefix}${identifier.name}`];
  });
}

export function rewriteVariables(body: Exporting, node: Of<'VariableDeclaration'>): void {
  const writes = node.declarations.map(({ id }) =>
    writesFor(body, id)
      .map((write) => `${write};`)
      .join(''),
  );
  if (writes.every((write) => write === '')) return;
  if (node.kind === 'var') hoistVariables(body, node);
  const parent = body.parents.get(node);
  if (parent?.type === 'ForStatement') return rewriteForVariables(body, node, parent);
  if (parent?.type === 'ForInStatement' || parent?.type === 'ForOfStatement') return;
  const last = node.declarations.length - 1;
  for (const [index, write] of writes.entries()) {
    if (index === last) appendWrites(body, node, write);
    else if (write !== '') splitVariables(body, node, index, write);
  }
}

/** A `var` is undefined from the start, also for the other modules of a cycle. */
function hoistVariables(body: Exporting, node: Of<'VariableDeclaration'>): void {
  for (const identifier of declaredIdentifiers(node)) {
    const prefix = exportPrefix(body, identifier);
    if (prefix !== '' && !body.hoisted.includes(`${prefix}void 0;`)) body.hoisted.push(`${prefix}void 0;`);
  }
}

/** `let a = 1, b = a` → `let a = 1;$e.a=a;let b = a`: each is exported before the next is initialized. */
function splitVariables(
  body: Exporting,
  node: Of<'VariableDeclaration'>,
  index: number,
  write: string,
): void {
  const comma = findText(body, ',', node.declarations[index]?.end ?? node.start);
  body.code.update(comma, comma + 1, `;${write}${node.kind} `);
}

/** Puts writes after a declaration, in braces where it is the only statement that may stand there. */
function appendWrites({ code, source, parents }: Exporting, node: Node, writes: string): void {
  if (writes === '') return;
  const parent = parents.get(node);
  const isListed =
    parent?.type === 'ExportNamedDeclaration' ||
    (parent !== undefined && statementsOf(parent).includes(node));
  const separator = source[node.end - 1] === ';' ? '' : ';';
  if (!isListed) code.prependRight(node.start, '{');
  code.appendLeft(node.end, `${separator}${writes}${isListed ? '' : '}'}`);
}

/** `for (var a = 0;;)`: the writes are in the initializers. Loops over values write in their body. */
function rewriteForVariables(
  body: Exporting,
  node: Of<'VariableDeclaration'>,
  { body: loop }: Of<'ForStatement'>,
): void {
  for (const { id, init } of node.declarations) {
    const writes = writesFor(body, id);
    if (init === null || writes.length === 0) continue;
    if (id.type === 'Identifier') {
      body.code.prependRight(init.start, `(${exportPrefix(body, id)}`);
      body.code.appendLeft(init.end, ')');
    } else wrapStatement(body, loop, writes);
  }
}

/** Puts writes before a statement, inside of its braces. */
function wrapStatement({ code }: Exporting, statement: Node, writes: readonly string[]): void {
  const text = `${writes.join(';')};`;
  if (statement.type === 'BlockStatement') {
    code.appendLeft(statement.start + 1, text);
    return;
  }
  code.prependRight(statement.start, `{${text}`);
  code.appendLeft(statement.end, '}');
}

export function rewriteLoop(
  body: Exporting,
  { left, body: loop }: Of<'ForOfStatement'> | Of<'ForInStatement'>,
): void {
  const pattern = left.type === 'VariableDeclaration' ? left.declarations[0]?.id : left;
  const writes = pattern === undefined ? [] : writesFor(body, pattern);
  if (writes.length > 0) wrapStatement(body, loop, writes);
}

export function rewriteAssignment(body: Exporting, node: Of<'AssignmentExpression'>): void {
  const { code, names } = body;
  const { left } = node;
  if (left.type === 'Identifier') {
    const prefix = exportPrefix(body, left);
    if (prefix === '') return;
    code.prependRight(node.start, `(${prefix}`);
    code.appendLeft(node.end, ')');
    return guardStatement(body, node.start, node);
  }
  const writes = writesFor(body, left);
  if (writes.length === 0) return;
  code.prependRight(node.start, `${names.module}.sync(`);
  code.appendLeft(node.end, `,${writes.join(',')})`);
}

export function rewriteUpdate(body: Exporting, node: Of<'UpdateExpression'>): void {
  if (node.argument.type !== 'Identifier') return;
  const { name } = node.argument;
  const prefix = exportPrefix(body, node.argument);
  if (prefix === '') return;
  body.code.prependRight(node.start, `${body.names.module}.sync(`);
  body.code.appendLeft(node.end, `,${prefix}${name})`);
}
