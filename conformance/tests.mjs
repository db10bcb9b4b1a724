// Prints the tests of a suite that apply to a proxy, as JSON: [{ id, kind, depends_on }].
// Called as: node tests.mjs SUITE_DIRECTORY
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

// What the older cut keeps outside its index is about Surrogate-Control, which its authors have dropped since.
const index = pathToFileURL(join(resolve(process.argv[2]), 'tests', 'index.mjs'))
const { default: groups } = await import(index)

const tests = groups
  .flatMap(group => group.tests)
  .filter(test => !test.browser_only)
  .map(({ id, kind = 'required', depends_on = [] }) => ({ id, kind, depends_on }))
console.log(JSON.stringify(tests))
