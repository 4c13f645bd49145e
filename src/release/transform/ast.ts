/** The syntax tree: parsing, and walking with parents at hand. */

import {
  parseSync,
  visitorKeys,
  type Comment,
  type Node,
  type ParserOptions,
  type Program,
} from 'oxc-parser';
import { syntaxError, toSyntaxError } from './syntax-error.ts';

export type {
  Class as ClassNode,
  Function as FunctionNode,
  MethodDefinition,
  Node,
  Program,
  PropertyDefinition,
} from 'oxc-parser';

/** The nodes of a type. */
export type Of<Type extends Node['type']> = Extract<Node, { type: Type }>;

export type Identifier = Of<'Identifier'>;

/** A tree and what its parser knows besides. */
export interface Parsed {
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly hasModuleSyntax: boolean;
  readonly parents: ReadonlyMap<Node, Node>;
}

export interface ParseOptions {
  readonly path: string;
  readonly source: string;
  readonly sourceType: 'module' | 'commonjs';
}

const parserOptions = {
  lang: 'js',
  preserveParens: false,
  range: true,
  showSemanticErrors: true,
} satisfies ParserOptions;

/** Parses JavaScript. Parentheses are not nodes.
 *  Errors: ERR_MIDFLIGHT_SYNTAX at the first problem. */
export function parse({ path, source, sourceType }: ParseOptions): Parsed {
  const result = parseSync(path, source, { ...parserOptions, sourceType });
  const [problem] = result.errors.filter(({ severity }) => severity === 'Error');
  if (problem !== undefined) throw toSyntaxError(path, source, problem);
  const { program, comments } = result;
  return {
    program,
    comments,
    hasModuleSyntax: result.module.hasModuleSyntax,
    parents: linkParents(path, source, program),
  };
}

/** True when the text can only be an ES module, by Node's own rule: it has module syntax, or it parses as a module alone. */
export function isModuleSource(path: string, source: string): boolean {
  const asScript = parseSync(path, source, { ...parserOptions, sourceType: 'commonjs' });
  if (asScript.module.hasModuleSyntax) return true;
  if (!asScript.errors.some(({ severity }) => severity === 'Error')) return false;
  const asModule = parseSync(path, source, { ...parserOptions, sourceType: 'module' });
  return !asModule.errors.some(({ severity }) => severity === 'Error');
}

/** Calls `visit` for every node under `root`, children before their parent. */
export function walk(root: Node, visit: (node: Node) => void): void {
  const walkChild = (child: Node): void => {
    eachChild(child, walkChild);
    visit(child);
  };
  walkChild(root);
}

/** Calls `visit` for the node's children in source order of their fields. Of all code of a build this runs most often. */
export function eachChild(node: Node, visit: (child: Node) => void): void {
  const fields = node as unknown as Record<string, unknown>;
  for (const key of visitorKeys[node.type] ?? []) {
    const value = fields[key];
    if (Array.isArray(value)) {
      for (const item of value as unknown[]) if (isNode(item)) visit(item);
    } else if (isNode(value)) visit(value);
  }
}

/** True for a node that has its own `this` and `arguments`, or an arrow: code in it runs later than the module's. */
export function isFunction(node: Node): boolean {
  return (
    node.type === 'FunctionDeclaration' ||
    node.type === 'FunctionExpression' ||
    node.type === 'ArrowFunctionExpression'
  );
}

/** True for what is named by where it stands. ECMA-262 8.4.3 IsAnonymousFunctionDefinition. */
export function isAnonymousFunction(node: Node): boolean {
  if (node.type === 'ArrowFunctionExpression') return true;
  const isNameable =
    node.type === 'ClassDeclaration' || node.type === 'ClassExpression' || node.type === 'FunctionExpression';
  return isNameable && node.id === null;
}

/** True when `node` runs while the module is evaluated: no function is around it. */
export function isTopLevel(node: Node, parents: ReadonlyMap<Node, Node>): boolean {
  let child = node;
  for (let at = parents.get(node); at !== undefined; at = parents.get(at)) {
    // A computed name is evaluated with the class, a field's value with each instance.
    if (isFunction(at) || (at.type === 'PropertyDefinition' && at.value === child)) return false;
    child = at;
  }
  return true;
}

/** The text of a string literal, or of a template without holes; null for anything else. */
export function literalText(node: Node | null | undefined): string | null {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? null;
  return null;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

function linkParents(path: string, source: string, program: Program): Map<Node, Node> {
  const parents = new Map<Node, Node>();
  walk(program, (node) => {
    if (node.type === 'Decorator') {
      const problem =
        'decorators need "experimentalDecorators": true in tsconfig.json, as Node can run no others';
      throw syntaxError({ path, source, offset: node.start, problem });
    }
    eachChild(node, (child) => parents.set(child, node));
  });
  return parents;
}
