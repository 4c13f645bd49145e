/** The imports and exports that an ES module declares. ECMA-262 16.2.1.7.1 ParseModule. */

import { literalText, type Identifier, type Node, type Of } from './ast.ts';
import { blank, isCalled, timerNames, type Rewrite } from './rewrite.ts';
import type { Variable } from './scope.ts';
import { syntaxError } from './syntax-error.ts';
import type { ImportBinding, IndirectExport } from '../../protocol/manifest.ts';

/** A name that an import statement declares. */
export interface ImportedLocal extends ImportBinding {
  /** The expression that reads it. */
  readonly text: string;
}

/** How a static member of a namespace is used. */
export type MemberUse = NonNullable<ImportBinding['member']>;

export interface EsmBindings {
  /** The parameters; namespaces and their members are added where they are used. */
  readonly imports: ImportBinding[];
  readonly importOf: ReadonlyMap<Variable, ImportedLocal>;
  /** The names under which each local variable is exported. */
  readonly exportsOf: ReadonlyMap<Variable, readonly string[]>;
  readonly localExports: readonly string[];
  readonly indirectExports: readonly IndirectExport[];
  readonly starExports: readonly string[];
}

interface Collected {
  readonly imports: ImportBinding[];
  readonly importOf: Map<Variable, ImportedLocal>;
  readonly exportsOf: Map<Variable, string[]>;
  readonly localExports: string[];
  readonly indirectExports: IndirectExport[];
  readonly starExports: string[];
}

/** Collects the declarations, and takes import statements and the word `export` out of the code. */
export function collectBindings(rewrite: Rewrite): EsmBindings {
  const found: Collected = {
    imports: [],
    importOf: new Map(),
    exportsOf: new Map(),
    localExports: [],
    indirectExports: [],
    starExports: [],
  };
  for (const statement of rewrite.program.body) {
    if (statement.type === 'ImportDeclaration') collectImport(rewrite, found, statement);
    else if (statement.type === 'ExportAllDeclaration') collectStar(rewrite, found, statement);
    else if (statement.type === 'ExportNamedDeclaration' && statement.source !== null) {
      requestStatic(rewrite, statement.source.value, statement.attributes);
    }
  }
  // Exports come second: one may name a binding that is imported further down.
  for (const statement of rewrite.program.body) {
    if (statement.type === 'ExportNamedDeclaration') collectNamed(rewrite, found, statement);
    else if (statement.type === 'ExportDefaultDeclaration') collectDefault(rewrite, found, statement);
  }
  return found;
}

type Attribute = Of<'ImportAttribute'>;

function collectImport(rewrite: Rewrite, found: Collected, statement: Of<'ImportDeclaration'>): void {
  const specifier = statement.source.value;
  requestStatic(rewrite, specifier, statement.attributes);
  blank(rewrite, statement.start, statement.end);
  for (const node of statement.specifiers) {
    const variable = rewrite.scopes.top.set.get(node.local.name);
    if (variable === undefined) continue;
    const binding = toBinding(rewrite, specifier, importedName(node), variable);
    const text = binding.name === '*' ? '' : readerOf(rewrite, found.imports, binding);
    found.importOf.set(variable, { ...binding, text });
  }
}

function toBinding(
  rewrite: Rewrite,
  specifier: string,
  name: string,
  { references }: Variable,
): ImportBinding {
  const uses = references.map((reference) => reference.identifier as unknown as Node);
  const read = uses.filter((node) => rewrite.parents.get(node)?.type !== 'ExportSpecifier');
  const isCalledOnly = read.length > 0 && read.every((node) => isCalled(node, rewrite.parents));
  return name !== '*' && isCalledOnly ? { specifier, name, isCalled: true } : { specifier, name };
}

function requestStatic(rewrite: Rewrite, specifier: string, attributes: readonly Attribute[]): void {
  const [attribute] = attributes;
  if (attribute === undefined) return rewrite.requests.add(specifier, 'static');
  const name = exportedText(attribute.key);
  if (attributes.length === 1 && name === 'type' && attribute.value.value === 'json')
    return rewrite.requests.add(specifier, 'static', 'json');
  const { path, source } = rewrite;
  const problem = `import attribute "${name}" with value "${attribute.value.value}" is not supported`;
  throw syntaxError({ path, source, offset: attribute.start, problem });
}

function importedName(node: Of<'ImportDeclaration'>['specifiers'][number]): string {
  if (node.type === 'ImportNamespaceSpecifier') return '*';
  return node.type === 'ImportDefaultSpecifier' ? 'default' : exportedText(node.imported);
}

/** The parameter of which `binding.name` is a property; for a namespace the namespace itself. One for each binding, however
 *  many locals it has. */
export function parameterFor({ names }: Rewrite, imports: ImportBinding[], binding: ImportBinding): string {
  const { specifier, name, member, isCalled: isForCalls } = binding;
  const isTimer = /^(?:node:)?timers$/.test(specifier) && timerNames.has(name);
  if (isTimer) return `${names.module}.timers`;
  const known = imports.findIndex(
    (other) =>
      other.specifier === specifier &&
      other.name === name &&
      other.member === member &&
      other.isCalled === isForCalls,
  );
  if (known !== -1) return names.binding(known);
  imports.push(binding);
  return names.binding(imports.length - 1);
}

/** The expression that reads a binding. */
export function readerOf(rewrite: Rewrite, imports: ImportBinding[], binding: ImportBinding): string {
  return propertyOf(parameterFor(rewrite, imports, binding), binding.name);
}

function collectStar(rewrite: Rewrite, found: Collected, statement: Of<'ExportAllDeclaration'>): void {
  const specifier = statement.source.value;
  requestStatic(rewrite, specifier, statement.attributes);
  blank(rewrite, statement.start, statement.end);
  if (statement.exported === null) found.starExports.push(specifier);
  else found.indirectExports.push({ name: exportedText(statement.exported), specifier, imported: '*' });
}

function collectNamed(rewrite: Rewrite, found: Collected, statement: Of<'ExportNamedDeclaration'>): void {
  const { declaration, source } = statement;
  if (declaration !== null) {
    blank(rewrite, statement.start, declaration.start);
    for (const { name } of declaredIdentifiers(declaration)) addLocal(rewrite, found, name, name);
    return;
  }
  blank(rewrite, statement.start, statement.end);
  for (const { local, exported } of statement.specifiers) {
    const name = exportedText(exported);
    const imported = exportedText(local);
    if (source === null) addLocal(rewrite, found, imported, name);
    else found.indirectExports.push({ name, specifier: source.value, imported });
  }
}

function collectDefault(rewrite: Rewrite, found: Collected, statement: Of<'ExportDefaultDeclaration'>): void {
  const { declaration } = statement;
  const isDeclaration = declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration';
  if (isDeclaration && declaration.id !== null) addLocal(rewrite, found, declaration.id.name, 'default');
  else found.localExports.push('default');
}

/** An exported name of an import is an export of the module that it comes from. */
function addLocal({ scopes }: Rewrite, found: Collected, local: string, name: string): void {
  const variable = scopes.top.set.get(local);
  if (variable === undefined) return;
  const imported = found.importOf.get(variable);
  if (imported !== undefined) {
    found.indirectExports.push({ name, specifier: imported.specifier, imported: imported.name });
    return;
  }
  found.localExports.push(name);
  const names = found.exportsOf.get(variable);
  if (names === undefined) found.exportsOf.set(variable, [name]);
  else names.push(name);
}

/** The identifiers that a declaration declares. */
export function declaredIdentifiers(node: Node): Identifier[] {
  if (node.type === 'VariableDeclaration')
    return node.declarations.flatMap(({ id }) => patternIdentifiers(id));
  if (node.type !== 'FunctionDeclaration' && node.type !== 'ClassDeclaration') return [];
  return node.id === null ? [] : [node.id];
}

/** The identifiers that a pattern binds or assigns; members of objects are none. */
export function patternIdentifiers(node: Node | null): Identifier[] {
  switch (node?.type) {
    case 'Identifier':
      return [node];
    case 'ArrayPattern':
      return node.elements.flatMap((element) => patternIdentifiers(element));
    case 'ObjectPattern':
      return node.properties.flatMap((property) => patternIdentifiers(property));
    case 'Property':
      return patternIdentifiers(node.value);
    case 'AssignmentPattern':
      return patternIdentifiers(node.left);
    case 'RestElement':
      return patternIdentifiers(node.argument);
    default:
      return [];
  }
}

/** `object.name`, or `object["na-me"]`. */
export function propertyOf(object: string, name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${object}.${name}` : `${object}[${JSON.stringify(name)}]`;
}

function exportedText(node: Node): string {
  return node.type === 'Identifier' ? node.name : (literalText(node) ?? '');
}
