/**
 * Private names of live classes. `#x` is another name each time that a class is evaluated, so an old instance would not have the
 * `#x` that new methods ask for. Here every use of it becomes one of a name that the versions share (`runtime/private-names.ts`):
 *
 *   #x = 1      →  #x=$p0.add(this, 1);      the empty field keeps the place in the order of initialization
 *   #m() {}     →  [$p1.key]() {}            which a static block, the first thing in the class, takes off again
 *   o.#x        →  $p0.get(o)
 *   o.#x = v    →  $p0.set(o, v)
 *   o.#x += v   →  $p0.ref(o).value += v     also for `++`, and the targets of patterns
 *   o.#x(v)     →  $p0.ref(o).bound(v)       also for templates
 *   this.#m(v)  →  $p1.get(this).call(this,v)
 *   o?.#x       →  $p0.opt(o)?.value
 *   #x in o     →  $p0.has(o)
 */

import {
  isAnonymousFunction,
  walk,
  type ClassNode,
  type MethodDefinition,
  type Node,
  type PropertyDefinition,
  type Of,
} from './ast.ts';
import { findText, type Rewrite } from './rewrite.ts';
import type { LiveExport } from '../../protocol/manifest.ts';

/** The classes whose private names are shared. */
export type PrivateClasses = ReadonlyMap<Node, PrivateClass>;

interface PrivateClass {
  /** What marks the instances, so that they have the private methods. Null where instances have no private names. */
  readonly brand: string | null;
  readonly names: ReadonlyMap<string, PrivateName>;
}

interface PrivateName {
  /** The variable of the compiled code that holds the name. */
  readonly text: string;
  readonly kind: 'field' | 'method' | 'accessor';
}

/** Finds the private names of live classes, and declares what holds them before evaluation. */
export function findPrivates(
  rewrite: Rewrite,
  live: ReadonlyMap<Node, LiveExport>,
  hoisted: string[],
): PrivateClasses {
  const classes = new Map<Node, PrivateClass>();
  const declarations: string[] = [];
  for (const [node, { name, kind }] of live) {
    if (kind !== 'class') continue;
    const found = toPrivateClass(rewrite, node as ClassNode, name, declarations);
    if (found.names.size > 0) classes.set(node, found);
  }
  if (declarations.length > 0) hoisted.push(`const ${declarations.join(',')};`);
  return classes;
}

/**
 * True when every use of a private name in the class can be rewritten. Where one comes after another link of an optional chain
 * (`o?.a.#x`), the whole chain would have to stop at the first, which no expression in its place can do; and what `eval` is given
 * only run time tells.
 */
export function canSharePrivates({ body }: ClassNode): boolean {
  if (body.body.every((element) => declaredName(element) === null)) return true;
  let canShare = true;
  walk(body, (node) => {
    if (node.type === 'MemberExpression' && node.property.type === 'PrivateIdentifier')
      canShare &&= !isAfterOptional(node.object);
    else if (node.type === 'CallExpression') canShare &&= !isEval(node.callee);
  });
  return canShare;
}

/** Rewrites a node that declares or uses a shared private name. */
export function rewritePrivate(rewrite: Rewrite, classes: PrivateClasses, node: Node): void {
  switch (node.type) {
    case 'ClassBody':
      return rewriteBody(rewrite, classes, node);
    case 'PropertyDefinition':
      return rewriteField(rewrite, classes, node);
    case 'MethodDefinition':
      return rewriteMethod(rewrite, classes, node);
    case 'MemberExpression':
      return rewriteMember(rewrite, classes, node);
    case 'AssignmentExpression':
      return rewriteAssignment(rewrite, classes, node);
    case 'BinaryExpression':
      return rewriteIn(rewrite, classes, node);
    default:
  }
}

/** Adds the text of each holder to `declarations`. */
function toPrivateClass(
  { names: parameters }: Rewrite,
  node: ClassNode,
  key: string,
  declarations: string[],
): PrivateClass {
  const names = new Map<string, PrivateName>();
  const source = `${parameters.module}.privates(${JSON.stringify(key)})`;
  const declare = (text: string): string => {
    const variable = parameters.private(declarations.length);
    declarations.push(`${variable}=${source}.${text}`);
    return variable;
  };
  let hasInstanceNames = false;
  for (const element of node.body.body) {
    const name = declaredName(element);
    if (name === null || names.has(name)) continue;
    const kind = kindOf(element);
    const isStatic = 'static' in element && element.static;
    hasInstanceNames ||= !isStatic;
    const [plain, ofClass] = kind === 'field' ? ['field', 'staticField'] : ['method', 'staticMethod'];
    const maker = isStatic ? ofClass : plain;
    names.set(name, { text: declare(`${maker}(${JSON.stringify(`#${name}`)})`), kind });
  }
  return { names, brand: hasInstanceNames ? declare('brand') : null };
}

function kindOf(element: Node): PrivateName['kind'] {
  if (element.type !== 'MethodDefinition') return 'field';
  return element.kind === 'method' ? 'method' : 'accessor';
}

function declaredName(element: Node): string | null {
  const isNamed = element.type === 'PropertyDefinition' || element.type === 'MethodDefinition';
  return isNamed && element.key.type === 'PrivateIdentifier' ? element.key.name : null;
}

/** The shared name that an identifier means; null where it is of a class that is not live. */
function nameOf({ parents }: Rewrite, classes: PrivateClasses, identifier: Node): PrivateName | null {
  if (identifier.type !== 'PrivateIdentifier') return null;
  let child: Node = identifier;
  for (let at = parents.get(child); at !== undefined; child = at, at = parents.get(at)) {
    if (at.type !== 'ClassDeclaration' && at.type !== 'ClassExpression') continue;
    // `extends` is evaluated among the names of the code around the class. ECMA-262 15.7.14 step 8.
    if (child === at.superClass) continue;
    const isDeclared = at.body.body.some((element) => declaredName(element) === identifier.name);
    if (isDeclared) return classes.get(at)?.names.get(identifier.name) ?? null;
  }
  return null;
}

/** Before everything else: methods are taken off the class, and the mark comes to the instances before their first field. */
function rewriteBody(
  { code, parents, names }: Rewrite,
  classes: PrivateClasses,
  body: Of<'ClassBody'>,
): void {
  const owner = parents.get(body);
  const found = owner === undefined ? undefined : classes.get(owner);
  if (found === undefined) return;
  const methods = [...found.names.values()].filter(({ kind }) => kind !== 'field');
  const taken = methods.map(({ text }) => `${text}.take(this);`).join('');
  if (taken !== '') code.appendLeft(body.start + 1, `static{${taken}}`);
  if (found.brand !== null) code.appendLeft(body.start + 1, `${names.brand}=${found.brand}.add(this);`);
}

function rewriteField(rewrite: Rewrite, classes: PrivateClasses, node: PropertyDefinition): void {
  const { key, value } = node;
  const name = nameOf(rewrite, classes, key);
  if (name === null || key.type !== 'PrivateIdentifier') return;
  const { code, source } = rewrite;
  const end = source[node.end - 1] === ';' ? node.end - 1 : node.end;
  const separator = end === node.end ? ';' : '';
  if (value === null) {
    code.appendLeft(key.end, `=${name.text}.add(this)${separator}`);
    return;
  }
  // A function without a name gets that of the field, here by a property of the same name.
  const text = JSON.stringify(`#${key.name}`);
  const [opening, closing] = isAnonymousFunction(value) ? [`{${text}:`, `}[${text}]`] : ['', ''];
  code.appendLeft(findText(rewrite, '=', key.end) + 1, `${name.text}.add(this,${opening}`);
  code.appendLeft(end, `${closing})${separator}`);
}

function rewriteMethod(rewrite: Rewrite, classes: PrivateClasses, { key }: MethodDefinition): void {
  const name = nameOf(rewrite, classes, key);
  if (name !== null) rewrite.code.update(key.start, key.end, `[${name.text}.key]`);
}

function rewriteIn(rewrite: Rewrite, classes: PrivateClasses, node: Of<'BinaryExpression'>): void {
  const name = nameOf(rewrite, classes, node.left);
  if (name === null) return;
  const { code, source } = rewrite;
  const end = findText(rewrite, 'in', node.left.end) + 'in'.length;
  // The breaks come after the parenthesis, as `return` takes none before its value.
  code.update(node.start, end, `${name.text}.has(${breaksIn(source, node.start, end)}`);
  code.appendLeft(node.end, ')');
}

function rewriteMember(rewrite: Rewrite, classes: PrivateClasses, node: Of<'MemberExpression'>): void {
  const name = nameOf(rewrite, classes, node.property);
  if (name === null || isPlainTarget(node, rewrite.parents.get(node))) return;
  const dot = findText(rewrite, node.optional ? '?.' : '.', node.object.end);
  const call = rewrite.parents.get(node);
  if (call?.type === 'CallExpression' && name.kind === 'method' && isOwnCall(call, node)) {
    const list = findText(rewrite, '(', node.end) + 1;
    rewrite.code.prependRight(node.start, `${name.text}.get(`);
    replaceText(rewrite, dot, list, `).call(this${call.arguments.length > 0 ? ',' : ''}`);
    return;
  }
  const [opening, closing] = formOf(rewrite, node, name);
  rewrite.code.prependRight(node.start, opening);
  replaceText(rewrite, dot, node.end, closing);
}

function rewriteAssignment(
  rewrite: Rewrite,
  classes: PrivateClasses,
  node: Of<'AssignmentExpression'>,
): void {
  const { left } = node;
  if (left.type !== 'MemberExpression' || !isPlainTarget(left, node)) return;
  const name = nameOf(rewrite, classes, left.property);
  if (name === null) return;
  const { code } = rewrite;
  const dot = findText(rewrite, '.', left.object.end);
  code.prependRight(node.start, `${name.text}.set(`);
  replaceText(rewrite, dot, findText(rewrite, '=', left.end) + 1, ',');
  code.appendLeft(node.end, ')');
}

/** `o.#x = v`, without parentheses around the target. */
function isPlainTarget(target: Node, parent: Node | undefined): boolean {
  if (parent?.type !== 'AssignmentExpression' || parent.operator !== '=') return false;
  return parent.left === target && parent.start === target.start;
}

/** `this.#m()`, with nothing optional and no parentheses around the callee. It is the most frequent, and needs no function to be made. */
function isOwnCall(call: Of<'CallExpression'>, callee: Of<'MemberExpression'>): boolean {
  const isPlain = !call.optional && !callee.optional && call.start === callee.start;
  return isPlain && call.callee === callee && callee.object.type === 'ThisExpression';
}

function formOf({ parents }: Rewrite, node: Of<'MemberExpression'>, { text }: PrivateName): [string, string] {
  const property = isCallee(node, parents) ? 'bound' : 'value';
  if (node.optional) return [`${text}.opt(`, `)?.${property}`];
  if (property === 'bound' || isTarget(node, parents)) return [`${text}.ref(`, `).${property}`];
  // In `new o.#x()` the arguments are those of the constructor.
  return isInNewCallee(node, parents) ? [`(${text}.get(`, '))'] : [`${text}.get(`, ')'];
}

/** True where the value is called with its object as `this`, which parentheses do not change: `(o?.#x)()`. */
function isCallee(node: Node, parents: ReadonlyMap<Node, Node>): boolean {
  const parent = parents.get(node);
  if (parent?.type === 'ChainExpression') return isCallee(parent, parents);
  if (parent?.type === 'TaggedTemplateExpression') return parent.tag === node;
  return parent?.type === 'CallExpression' && parent.callee === node;
}

/** True for what is assigned to. */
function isTarget(node: Node, parents: ReadonlyMap<Node, Node>): boolean {
  const parent = parents.get(node);
  switch (parent?.type) {
    case 'AssignmentExpression':
    case 'AssignmentPattern':
    case 'ForInStatement':
    case 'ForOfStatement':
      return parent.left === node;
    case 'UpdateExpression':
    case 'RestElement':
    case 'ArrayPattern':
      return true;
    case 'Property':
      return parent.value === node && parents.get(parent)?.type === 'ObjectPattern';
    default:
      return false;
  }
}

function isInNewCallee(node: Node, parents: ReadonlyMap<Node, Node>): boolean {
  const parent = parents.get(node);
  if (parent?.type === 'NewExpression') return parent.callee === node;
  const isObject = parent?.type === 'MemberExpression' && parent.object === node;
  const isTag = parent?.type === 'TaggedTemplateExpression' && parent.tag === node;
  return parent !== undefined && (isObject || isTag) && isInNewCallee(parent, parents);
}

function isAfterOptional(node: Node): boolean {
  if (node.type === 'MemberExpression') return node.optional || isAfterOptional(node.object);
  return node.type === 'CallExpression' && (node.optional || isAfterOptional(node.callee));
}

function isEval(callee: Node): boolean {
  return callee.type === 'Identifier' && callee.name === 'eval';
}

/** Puts a text in the place of another, of which the line breaks stay; it begins with the end of an argument. */
function replaceText({ code, source }: Rewrite, start: number, end: number, text: string): void {
  code.update(start, end, `${breaksIn(source, start, end)}${text}`);
}

function breaksIn(source: string, start: number, end: number): string {
  return source.slice(start, end).replace(/[^\n]/g, '');
}
