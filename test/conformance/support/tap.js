'use strict'
// tap.js - a formatter: TAP on its stream, and the results for the report in a file.

const fs = require('node:fs')
const path = require('node:path')
const { Formatter } = require('@cucumber/cucumber')
const later = require('./later')

function part (uri) {
  if (uri.includes('/ctk/')) return uri.includes('/ctk/v1.0.3/') ? 'kit 1.0.3' : 'kit'
  return path.basename(uri) === 'examples.feature' ? 'examples' : 'suite'
}

module.exports = class TapFormatter extends Formatter {
  constructor (options) {
    super(options)
    options.eventBroadcaster.on('envelope', (envelope) => {
      if (envelope.testRunFinished) this.finish()
    })
  }

  finish () {
    const lines = new Map() // of the scenarios, for their order
    const results = this.eventDataCollector.getTestCaseAttempts().filter((one) => !one.willBeRetried).map((one) => {
      const { pickle, gherkinDocument } = one
      for (const { scenario } of gherkinDocument.feature.children) {
        if (scenario) lines.set(scenario.id, scenario.location.line)
        for (const row of scenario?.examples.flatMap((examples) => examples.tableBody) ?? []) lines.set(row.id, row.location.line)
      }
      return {
        part: part(pickle.uri),
        uri: pickle.uri,
        line: lines.get(pickle.astNodeIds.at(-1)),
        feature: gherkinDocument.feature.name,
        rule: gherkinDocument.feature.children.find(({ scenario }) => scenario?.id === pickle.astNodeIds[0]).scenario.name,
        scenario: pickle.name,
        tags: pickle.tags.map((tag) => tag.name),
        status: one.worstTestStepResult.status,
        message: Object.values(one.stepResults).map((result) => result.message).find(Boolean)
      }
    })
    results.sort((a, b) => a.uri < b.uri ? -1 : a.uri > b.uri ? 1 : a.line - b.line)
    this.log(`1..${results.length}\n`)
    results.forEach((result, at) => this.log(this.told(result, at + 1)))
    fs.writeFileSync(process.env.PAWL_CONFORMANCE_RESULTS, JSON.stringify(results))
  }

  told (result, number) {
    const name = `${number} - ${result.part}: ${result.feature}: ${result.scenario}`
    if (result.status === 'PASSED') return `ok ${name}\n`
    if (result.status === 'SKIPPED' && later[result.scenario]) return `ok ${name} # SKIP ${later[result.scenario]} is not there yet\n`
    const why = (result.message || result.status).split('\n').slice(0, 40)
    return [...why, `at ${result.uri}:${result.line}`].map((line) => `# ${line}\n`).join('') + `not ok ${name}\n`
  }
}
