// The public surface as the compiler sees it: for each entry of package.json its names, and what their signatures name in turn.
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

export interface PublicName {
  name: string
  isType: boolean
  /** File that declares it, from the root. */
  file: string
  /** First paragraph of its docstring, '' where it has none. */
  doc: string
  /** Code of its `@example`s. */
  examples: string[]
  /** `Type (file)` for every type of ours that its declaration names and that no entry exports. */
  unexported: string[]
}

/** `./text` → `src/text/index.ts`, from package.json's exports. */
export function entries(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>
  }
  return new Map(
    Object.entries(exports).flatMap(([subpath, target]) =>
      typeof target === 'string'
        ? []
        : [[subpath, target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts')] as const],
    ),
  )
}

/** Everything public, by entry. */
export function surface(only?: readonly string[]): Map<string, PublicName[]> {
  const wanted = [...entries()].filter(([subpath]) => only?.includes(subpath) ?? true)
  const files = wanted.map(([subpath, file]) => [subpath, join(root, file)] as const)
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const program = ts.createProgram(
    files.map(([, file]) => file),
    options,
  )
  const checker = program.getTypeChecker()
  const resolved = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const exportsOf = new Map(
    files.map(([subpath, file]) => {
      const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!
      return [subpath, checker.getExportsOfModule(module)] as const
    }),
  )
  const exported = new Set([...exportsOf.values()].flat().map(resolved))
  const describe = (alias: ts.Symbol): PublicName => {
    const symbol = resolved(alias)
    const unexported = new Set<string>()
    const pending = [...(symbol.declarations ?? [])]
    const seen = new Set<ts.Declaration>(pending)
    for (const declaration of pending) {
      for (const type of typesNamedBy(declaration, checker)) {
        const named = resolved(type)
        const home = named.declarations?.[0]?.getSourceFile()
        if (home === undefined || exported.has(named) || !isOurs(home, named)) continue
        if (isExportedBy(home, named, checker)) unexported.add(`${named.name} (${relative(root, home.fileName)})`)
        // A shorthand of its file stands for what it is made of.
        else
          for (const inner of named.declarations!.filter((each) => !seen.has(each))) {
            seen.add(inner)
            pending.push(inner)
          }
      }
    }
    const tags = symbol.getJsDocTags(checker).filter(({ name }) => name === 'example')
    return {
      name: alias.name,
      isType: (symbol.flags & ts.SymbolFlags.Value) === 0,
      file: relative(root, symbol.declarations?.[0]?.getSourceFile().fileName ?? ''),
      doc: docOf(alias, symbol, checker),
      examples: tags.map(({ text }) => ts.displayPartsToString(text)),
      unexported: [...unexported].sort(),
    }
  }
  return new Map([...exportsOf].map(([subpath, symbols]) => [subpath, symbols.map(describe)]))
}

/** Whether others could name it. */
function isExportedBy(home: ts.SourceFile, symbol: ts.Symbol, checker: ts.TypeChecker): boolean {
  return checker.getExportsOfModule(checker.getSymbolAtLocation(home)!).includes(symbol)
}

/** A type of this project that stands at the top of its file (type parameters and inner names are nobody's business). */
function isOurs(home: ts.SourceFile, symbol: ts.Symbol): boolean {
  const isInside = home.fileName.startsWith(join(root, 'src')) && dirname(home.fileName) !== ''
  return (
    isInside && symbol.declarations!.every((declaration) => ts.isSourceFile(declaration.parent) || isTop(declaration))
  )
}

function isTop(declaration: ts.Declaration): boolean {
  return ts.isVariableDeclaration(declaration) && ts.isSourceFile(declaration.parent.parent.parent)
}

/** Symbols of the types that a declaration's outside names: parameters, results, members, bases; not the bodies, not what is private. */
function typesNamedBy(declaration: ts.Declaration, checker: ts.TypeChecker): ts.Symbol[] {
  const found: ts.Symbol[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || ts.isClassStaticBlockDeclaration(node)) return
    if (ts.isClassElement(node) && node.name !== undefined && ts.isPrivateIdentifier(node.name)) return
    if (
      ts.canHaveModifiers(node) &&
      (ts.getCombinedModifierFlags(node as ts.Declaration) & ts.ModifierFlags.Private) !== 0
    )
      return
    if (
      (ts.isPropertyDeclaration(node) || ts.isVariableDeclaration(node) || ts.isParameter(node)) &&
      node.type !== undefined
    ) {
      visit(node.type) // not the value that it starts with
      return
    }
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : undefined
    const symbol = name && checker.getSymbolAtLocation(name)
    if (symbol !== undefined) found.push(symbol)
    ts.forEachChild(node, visit)
  }
  visit(declaration)
  return found
}

/** The docstring, or the comment above an `export *` that makes a namespace of a file. */
function docOf(alias: ts.Symbol, symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const doc = ts.displayPartsToString(symbol.getDocumentationComment(checker))
  const statement = alias.declarations?.[0]?.parent
  if (doc !== '' || statement === undefined || !ts.isNamespaceExport(alias.declarations![0]!)) return doc
  return (
    statement
      .getFullText()
      .match(/\/\*\*([\s\S]*?)\*\//)?.[1]
      ?.trim() ?? ''
  )
}
