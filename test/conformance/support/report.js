'use strict'
// report.js - doc/conformance.md from the results of a run. Parts that the run had no data for (no ../shared)
// are neither written nor compared.

const fs = require('node:fs')
const path = require('node:path')

const INTRO = `# Conformance

How Pawl stands to the workflow language: its conformance kit, its example workflows, and a suite of our own that goes where the
kit does not. This page is written by \`test/conformance/run --write\`, and \`scripts/test\` fails when it is not what the run gives.

The kit and the examples are not part of this repository; they are read from \`../shared/serverless-workflow\` (the language's own
repository, commit 4d42471, and its tag v1.0.3). The services that they call are served on loopback by the test over TLS, and reached
by \`PAWL_EGRESS_MAP\` ([cli.md](cli.md)).
`

const VERDICT = { PASSED: 'passes', SKIPPED: 'skipped', FAILED: '**fails**' }
const verdict = (result) => VERDICT[result.status] ?? `**${result.status.toLowerCase()}**`

function count (results) {
  const of = (status) => results.filter((result) => result.status === status).length
  const failed = results.length - of('PASSED') - of('SKIPPED')
  return `${results.length} scenarios: ${of('PASSED')} pass, ${failed} fail, ${of('SKIPPED')} are skipped.`
}

const row = (...cells) => `| ${cells.join(' | ')} |`
const table = (head, rows) => [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n')

function kit (results) {
  const later = require('./later')
  const rows = results.map((result) => [result.feature, result.scenario, result.part === 'kit' ? 'head' : '1.0.3',
    result.status === 'SKIPPED' ? `skipped: \`${later[result.scenario]}\` is not there yet` : verdict(result)])
  return `## The conformance kit\n\n${count(results)} Two features differ between the head of the repository and its tag (the ` +
    `spelling of error types); both spellings run.\n\n${table(['feature', 'scenario', 'kit', 'result'], rows)}\n`
}

function examples (results) {
  const rows = results.map((result) => {
    const [name, rest] = /^([^:]+\.yaml):? ?(.*)$/.exec(result.scenario).slice(1)
    return [name, result.status === 'PASSED' ? rest : `${rest}: ${verdict(result)}`]
  })
  const refused = rows.filter(([, rest]) => rest.startsWith('refused')).length
  return `## The examples\n\nOf ${new Set(rows.map(([name]) => name)).size} examples ${refused} need what this release refuses by ` +
    `name when the definition is checked; the others run.\n\n${table(['example', 'what becomes of it'], rows)}\n`
}

function suite (results) {
  const parts = new Map()
  for (const result of results) parts.set(result.feature, [...(parts.get(result.feature) ?? []), result])
  let text = `## Our own suite\n\n${count(results)} They are Gherkin in \`test/conformance/features/\`, in the kit's words and few of our ` +
    'own (`test/conformance/README.md`), so that another engine can run them.\n'
  for (const [feature, list] of [...parts].sort(([a], [b]) => a < b ? -1 : 1)) {
    const lines = list.map((result) => {
      const tags = result.tags.length ? ` (${result.tags.map((tag) => tag.slice(1)).join(', ')})` : ''
      return `- ${result.scenario}${tags}${result.status === 'PASSED' ? '' : `: ${verdict(result)}`}`
    })
    text += `\n### ${feature}\n\n${lines.join('\n')}\n`
  }
  return text
}

// What the specification leaves open, and which scenario shows our answer.
function ambiguities (results) {
  const rows = fs.readFileSync(path.join(__dirname, '..', 'ambiguities.txt'), 'utf8').split('\n')
    .filter((line) => line && !line.startsWith('#')).map((line) => {
      const [id, question, answer, instead] = line.split(/ *\| */)
      const shown = results.filter((result) => result.tags.includes(`@${id}`)).map((result) => `${result.feature}: ${result.scenario}`)
      return [id, question, answer, shown.join('; ') || instead || '**nothing**']
    })
  return '## What the specification leaves open\n\nThe questions that it does not answer, or answers twice, as far as this release ' +
    `meets them; what Pawl does; and the scenario of our suite that shows it.\n\n${table(['id', 'question', 'Pawl', 'shown by'], rows)}\n`
}

// The sections, in order; undefined where the run had no data.
function page (results) {
  const of = (...parts) => results.filter((result) => parts.includes(result.part))
  const some = (list, make) => list.length ? make(list) : undefined
  return [['', INTRO], ['The conformance kit', some(of('kit', 'kit 1.0.3'), kit)], ['The examples', some(of('examples'), examples)],
    ['What the specification leaves open', ambiguities(of('suite'))], ['Our own suite', suite(of('suite'))]]
}

function sections (text) {
  return new Map(text.split(/^(?=## )/m).map((part) => [/^## (.*)/.exec(part)?.[1] ?? '', part.trimEnd() + '\n']))
}

function merged (made, old) {
  const before = sections(old)
  return made.map(([name, text]) => text ?? before.get(name)).filter(Boolean).map((text) => text.trimEnd()).join('\n\n') + '\n'
}

function difference (made, old) {
  const before = sections(old)
  for (const [name, text] of made) {
    if (text === undefined) continue
    const [is, was] = [text.trimEnd().split('\n'), (before.get(name) ?? '').trimEnd().split('\n')]
    for (let at = 0; at < Math.max(is.length, was.length); at++) {
      if (is[at] !== was[at]) return `section '${name}', line ${at + 1}\nthe page: ${was[at] ?? '(nothing)'}\nthe run:  ${is[at] ?? '(nothing)'}`
    }
  }
  return ''
}

module.exports = { page, merged, difference }
