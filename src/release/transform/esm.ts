/**
 * ES module → the body of a function that the runtime's graph links and evaluates:
 * `"use strict";return function*($m,$e,$0,…){ hoisted exports; yield; body }`.
 * The parts are inserted into the source where it stands, so that the user's code keeps its lines.
 */

import { acceptsItself } from '../../protocol/replace-in-place.ts';
import MagicString from 'magic-string';
import {
  isAnonymousFunction,
  isTopLevel,
  literalText,
  parse,
  walk,
  type ClassNode,
  type FunctionNode,
  type Identifier,
  type Node,
  type Of,
} from './ast.ts';
import { collectBindings, parameterFor, propertyOf, readerOf, type EsmBindings } from './esm-bindings.ts';
import {
  exportPrefix,
  rewriteAssignment,
  rewriteLoop,
  rewriteUpdate,
  rewriteVariables,
  type Exporting,
} from './exported-variables.ts';
import { findHot } from './hot.ts';
import { exportsIgnoringThis } from './ignores-this.ts';
import { memberUse } from './member-use.ts';
import { findLive, rewriteLive, type LiveNodes } from './live.ts';
import { findPrivates, rewritePrivate, type PrivateClasses } from './private-names.ts';
import {
  blank,
  chooseNames,
  createRequestList,
  findText,
  guardStatement,
  isCalled,
  holdToken,
  isListenerCall,
  replaceReference,
  rewriteDynamicImport,
  rewriteGlobal,
  type Rewrite,
} from './rewrite.ts';
import { analyseScopes, type ScopeReference } from './scope.ts';
import { syntaxError } from './syntax-error.ts';
import type { ModuleHot } from '../../protocol/manifest.ts';

export interface EsmOptions {
  readonly path: string;
  readonly source: string;
  readonly preamble: string;
  /** Names of CommonJS that it has. */
  readonly commonJsNames: ReadonlySet<string>;
}

export interface RewrittenEsm extends EsmBindings {
  readonly rewrite: Rewrite;
  readonly ignoresThis: readonly string[];
  readonly hasTopLevelAwait: boolean;
  readonly hot: ModuleHot | null;
}

/** Rewrites an ES module.
 *  Errors: ERR_MIDFLIGHT_SYNTAX. */
export function rewriteEsm({ path, source, preamble, commonJsNames }: EsmOptions): RewrittenEsm {
  const parsed = parse({ path, source, sourceType: 'module' });
  const scopes = analyseScopes(parsed.program, 'module');
  const rewrite: Rewrite = {
    ...parsed,
    path,
    source,
    scopes,
    code: new MagicString(source),
    names: chooseNames(source),
    requests: createRequestList(),
  };
  const bindings = collectBindings(rewrite);
  const use = findHot(rewrite);
  const isBoundary = acceptsItself(use);
  const live: LiveNodes = isBoundary ? findLive(rewrite, bindings) : new Map();
  const hoisted: string[] = [];
  const privates = findPrivates(rewrite, live, hoisted);
  const body: Body = {
    ...rewrite,
    bindings,
    commonJsNames,
    live,
    privates,
    hoisted,
    hasTopLevelAwait: false,
  };
  for (const reference of scopes.references.values()) rewriteReference(body, reference);
  walk(parsed.program, (node) => rewriteNode(body, node));
  wrap(body, preamble);
  const hot = use === null ? null : { ...use, live: [...live.values()] };
  const ignoresThis = exportsIgnoringThis(rewrite, bindings);
  return { ...bindings, ignoresThis, rewrite, hasTopLevelAwait: body.hasTopLevelAwait, hot };
}

/** The rewriting of one module's body. */
interface Body extends Exporting {
  readonly commonJsNames: ReadonlySet<string>;
  readonly live: LiveNodes;
  readonly privates: PrivateClasses;
  hasTopLevelAwait: boolean;
}

function wrap({ code, names, bindings, hoisted, hasTopLevelAwait, program }: Body, preamble: string): void {
  const parameters = bindings.imports.map((_, index) => names.binding(index));
  const list = [names.module, names.environment, ...parameters].join(',');
  const keyword = hasTopLevelAwait ? 'async function*' : 'function*';
  if (program.hashbang !== null) code.remove(program.hashbang.start, program.hashbang.end);
  code.prepend(
    `"use strict";return ${keyword}(${list}){${holdToken(names)}${preamble}${hoisted.join('')}yield;`,
  );
  code.append('\n}');
}

function rewriteReference(body: Body, reference: ScopeReference): void {
  const { identifier, variable, isWrite } = reference;
  // The compiled function has an `arguments` of its own, a module has none.
  if (variable === null && identifier.name === 'arguments')
    return replaceReference(body, identifier, body.names.undeclared);
  if (variable === null && body.commonJsNames.has(identifier.name) && !isWrite)
    return replaceReference(body, identifier, toApi(body, identifier.name));
  if (rewriteGlobal(body, reference) || variable === null) return;
  const imported = body.bindings.importOf.get(variable);
  const parent = body.parents.get(identifier);
  if (imported === undefined || parent?.type === 'ExportSpecifier') return;
  const { names, code } = body;
  if (isWrite)
    return replaceReference(body, identifier, propertyOf(`${names.module}.constant`, identifier.name));
  if (isProcess(imported.specifier, imported.name) && isListenerCall(body, identifier)) {
    code.update(identifier.start, identifier.end, `${names.module}.process`);
  } else if (imported.name === '*') {
    rewriteNamespace(body, identifier, imported.specifier);
  } else if (isCalled(identifier, body.parents)) {
    const { specifier, name } = imported;
    const text = readerOf(body, body.bindings.imports, { specifier, name, isCalled: true });
    rewriteCallee(body, identifier, specifier, text);
  } else replaceReference(body, identifier, imported.text);
}

function toApi({ names }: Body, commonJsName: string): string {
  const isLocation = commonJsName.startsWith('__');
  return isLocation ? `${names.module}.meta.${commonJsName.slice(2)}` : `${names.module}.${commonJsName}`;
}

function isProcess(specifier: string, name: string): boolean {
  return (specifier === 'node:process' || specifier === 'process') && (name === 'default' || name === '*');
}

/** `ns.name` is read from the binding itself, as a namespace object is slow; only what uses it as a whole gets it. */
function rewriteNamespace(body: Body, identifier: Identifier, specifier: string): void {
  const used = memberUse(identifier, body.parents);
  const binding = used === null ? { specifier, name: '*' } : { specifier, ...used };
  replaceReference(body, identifier, parameterFor(body, body.bindings.imports, binding));
}

/** `f()` → `(0,$0.f)()`: `this` is undefined in the callee. */
function rewriteCallee(body: Body, identifier: Identifier, specifier: string, text: string): void {
  const { code, names, source } = body;
  const isModuleRequest = specifier === 'node:module' || specifier === 'module';
  if (isModuleRequest && text.endsWith('.createRequire')) {
    code.update(identifier.start, identifier.end, `${names.module}.createRequire`);
    return;
  }
  const end = endOfCallee(body, identifier);
  code.update(identifier.start, end, `(0,${text})${source.slice(identifier.end, end)}`);
  guardStatement(body, identifier.start, identifier);
}

/** Where `f(` ends: V8 says of a call of a name that it is at the name, of any other that it is at the bracket, so in the
 *  source map the bracket has to lead to the name. */
function endOfCallee({ comments, source }: Body, { end }: Identifier): number {
  let at = end;
  for (;;) {
    const comment = comments.find(({ start }) => start === at);
    if (comment !== undefined) at = comment.end;
    else if (/\s/.test(source[at] ?? '')) at += 1;
    else return source[at] === '(' ? at + 1 : end;
  }
}

function rewriteNode(body: Body, node: Node): void {
  const live = body.live.get(node);
  if (live !== undefined) rewriteLive(body, body.hoisted, node, live);
  if (body.privates.size > 0) rewritePrivate(body, body.privates, node);
  switch (node.type) {
    case 'ImportExpression':
      if (node.phase !== null) throw unsupportedPhase(body, node);
      return rewriteDynamicImport(body, node);
    case 'MetaProperty':
      if (node.meta.name === 'import') body.code.update(node.start, node.end, `${body.names.module}.meta`);
      return;
    case 'AwaitExpression':
    case 'ForOfStatement':
    case 'VariableDeclaration':
    case 'ForInStatement':
      return rewriteStatement(body, node);
    case 'AssignmentExpression':
      return rewriteAssignment(body, node);
    case 'UpdateExpression':
      return rewriteUpdate(body, node);
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
      return rewriteDeclaration(body, node);
    case 'ExportDefaultDeclaration':
      return rewriteDefault(body, node);
    case 'CallExpression':
      return collectRequire(body, node);
    default:
  }
}

function unsupportedPhase({ path, source }: Body, node: Of<'ImportExpression'>): Error {
  const problem = `import.${node.phase ?? ''}() is not supported`;
  return syntaxError({ path, source, offset: node.start, problem });
}

function rewriteStatement(
  body: Body,
  node: Of<'AwaitExpression'> | Of<'ForOfStatement'> | Of<'VariableDeclaration'> | Of<'ForInStatement'>,
): void {
  const isAwaiting =
    node.type === 'AwaitExpression' ||
    (node.type === 'ForOfStatement' && node.await) ||
    (node.type === 'VariableDeclaration' && node.kind === 'await using');
  if (isAwaiting && isTopLevel(node, body.parents)) body.hasTopLevelAwait = true;
  if (node.type === 'VariableDeclaration') rewriteVariables(body, node);
  if (node.type === 'ForOfStatement' || node.type === 'ForInStatement') rewriteLoop(body, node);
}

function rewriteDeclaration(body: Body, node: FunctionNode | ClassNode): void {
  const parent = body.parents.get(node);
  const isModuleLevel =
    parent?.type === 'Program' ||
    parent?.type === 'ExportNamedDeclaration' ||
    parent?.type === 'ExportDefaultDeclaration';
  if (!isModuleLevel || node.id === null) return;
  const prefix = exportPrefix(body, node.id);
  if (prefix === '') return;
  if (node.type === 'FunctionDeclaration') body.hoisted.push(`${prefix}${node.id.name};`);
  else body.code.appendLeft(node.end, `${prefix}${node.id.name};`);
}

function rewriteDefault(body: Body, node: Of<'ExportDefaultDeclaration'>): void {
  const { code, names, source } = body;
  const { declaration } = node;
  const target = `${names.environment}.default`;
  const isLive = body.live.has(declaration);
  if (declaration.type === 'FunctionDeclaration') {
    blank(body, node.start, declaration.start);
    if (declaration.id !== null) return;
    code.appendLeft(findText(body, '(', declaration.start), ` ${names.fallback}`);
    const value = isLive ? names.fallback : `${names.module}.named(${names.fallback},"default")`;
    body.hoisted.push(`${target}=${value};`);
    return;
  }
  if (declaration.type === 'ClassDeclaration' && declaration.id !== null)
    return blank(body, node.start, declaration.start);
  // ECMA-262 16.2.3.7: an anonymous function or class is named "default"; a property's initializer names it, too.
  const isNamed = isLive || isAnonymousFunction(declaration);
  const opening = `${isLive ? `${names.module}.live("default",` : ''}${isNamed ? '{default:' : ' '}`;
  const closing = `${isNamed ? '}.default' : ''}${isLive ? ')' : ''}`;
  const end = source[node.end - 1] === ';' ? node.end - 1 : node.end;
  code.update(node.start, node.start + 'export'.length, `${target}=`);
  const keyword = findText(body, 'default', node.start + 'export'.length);
  code.update(keyword, keyword + 'default'.length, opening);
  code.appendLeft(end, `${closing}${end === node.end ? ';' : ''}`);
}

/** `require('x')` of a `require` that `createRequire` made, or of one that the module has by itself. */
function collectRequire(
  { requests, scopes, bindings, commonJsNames }: Body,
  { callee, arguments: list }: Of<'CallExpression'>,
): void {
  const isOwn = callee.type === 'Identifier' && callee.name === 'require' && commonJsNames.has(callee.name);
  if (isOwn && scopes.references.get(callee)?.variable === null)
    return requests.add(literalText(list[0]), 'require');
  const definition = scopes.references.get(callee)?.variable?.defs[0];
  if (definition?.type !== 'Variable') return;
  const { init } = definition.node as unknown as Of<'VariableDeclarator'>;
  const maker = init?.type === 'CallExpression' ? scopes.references.get(init.callee)?.variable : null;
  const imported = maker === null || maker === undefined ? undefined : bindings.importOf.get(maker);
  if (imported?.name === 'createRequire') requests.add(literalText(list[0]), 'require');
}
