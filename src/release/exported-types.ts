/** The types of a module's exports, as its text states them: without a compiler, so those that are inferred are not among them. */

import { parseSync, type Statement } from 'oxc-parser';
import { isolatedDeclarationSync } from 'oxc-transform';
import { needsStrip } from './transform/strip.ts';

/** By name. Empty for what is not TypeScript, or can't be parsed. */
export function readExportedTypes(path: string, source: string): ReadonlyMap<string, string> {
  if (!needsStrip(path)) return new Map();
  const { code } = isolatedDeclarationSync(path, source);
  const { program, errors } = parseSync('module.d.ts', code, { lang: 'dts', sourceType: 'module' });
  if (errors.length > 0) return new Map();
  const locals = new Map<string, string>();
  for (const [name, type] of program.body.flatMap((statement) => declaredIn(statement, code)))
    addOverload(locals, name, type);
  return new Map(
    program.body.flatMap(exportedNames).flatMap(([name, local]) => {
      const type = locals.get(local) ?? INFERRED;
      return type === INFERRED ? [] : [[name, type] as const];
    }),
  );
}

/** What stands for a type that only a compiler knows. */
const INFERRED = 'unknown';
/** The local name of what has none. */
const NAMELESS = 'default';

function addOverload(locals: Map<string, string>, name: string, type: string): void {
  const known = locals.get(name);
  locals.set(name, known === undefined || known === type ? type : `${known} & ${type}`);
}

function declaredIn(statement: Statement, code: string): readonly Declared[] {
  if (statement.type === 'ExportNamedDeclaration')
    return statement.declaration === null ? [] : declare(statement.declaration, code);
  return declare(
    statement.type === 'ExportDefaultDeclaration' ? (statement.declaration as Statement) : statement,
    code,
  );
}

/** Pairs of the exported and the local name. */
function exportedNames(statement: Statement): (readonly [name: string, local: string])[] {
  if (statement.type === 'ExportDefaultDeclaration') {
    const { declaration } = statement;
    if (declaration.type === 'Identifier') return [['default', declaration.name]];
    const [[local] = [NAMELESS]] = declare(declaration as Statement, '');
    return [['default', local]];
  }
  if (statement.type !== 'ExportNamedDeclaration' || statement.source !== null) return [];
  if (statement.declaration === null)
    return statement.specifiers.map(({ local, exported }) => [nameOf(exported), nameOf(local)] as const);
  return declare(statement.declaration, '').map(([name]) => [name, name] as const);
}

function nameOf(node: { readonly type: string; readonly name?: string; readonly value?: unknown }): string {
  return node.name ?? String(node.value);
}

type Declared = readonly [name: string, type: string];

/** The values that a declaration declares, with their types as text. */
function declare(node: Statement, code: string): readonly Declared[] {
  const textOf = (part: { readonly start: number; readonly end: number }): string =>
    code.slice(part.start, part.end).replaceAll(/\s+/g, ' ').trim();
  switch (node.type) {
    case 'VariableDeclaration':
      return node.declarations.flatMap(({ id, init }) => {
        if (id.type !== 'Identifier') return [];
        const stated = id.typeAnnotation;
        const type =
          stated == null ? (init === null ? INFERRED : textOf(init)) : textOf(stated.typeAnnotation);
        return [[id.name, type] as const];
      });
    case 'FunctionDeclaration':
    case 'TSDeclareFunction': {
      const parameters = node.params.map((parameter) => textOf(parameter)).join(', ');
      const generics = node.typeParameters == null ? '' : textOf(node.typeParameters);
      const result = node.returnType == null ? null : textOf(node.returnType.typeAnnotation);
      const type = result === null ? INFERRED : `${generics}(${parameters}) => ${result}`;
      return [[node.id?.name ?? NAMELESS, type]];
    }
    case 'ClassDeclaration': {
      const members = node.body.body
        .map((member) => textOf(member))
        .filter((text) => !/^(?:private|#)/.test(text));
      const base = node.superClass === null ? '' : ` extends ${textOf(node.superClass)}`;
      return [[node.id?.name ?? NAMELESS, `class${base} { ${members.join(' ')} }`]];
    }
    case 'TSEnumDeclaration':
      return [[node.id.name, `enum ${textOf(node.body)}`]];
    default:
      return [];
  }
}
