'use strict'
// steps.js - the vocabulary of the conformance kit, and few steps of our own behind it.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { After, Before, Given, When, Then, setDefaultTimeout } = require('@cucumber/cucumber')
const YAML = require('yaml')
const { Engine } = require('./engine')
const later = require('./later')

setDefaultTimeout(120000)

// Documents of both versions of the language are read by the core schema of YAML 1.2.
const yaml = (text) => YAML.parse(text, { version: '1.2', schema: 'core', uniqueKeys: true })

Before(function ({ pickle }) {
  this.engine = new Engine()
  this.later = pickle.uri.includes('/ctk/') ? later[pickle.name] : undefined
  this.input = null
})

After(function () {
  this.engine.close()
})

// ---- helpers

const SUFFIX = /^https:\/\/(?:serverlessworkflow\.io|open-workflow-specification\.org)\/(?:spec\/1\.0\.0\/errors|dsl\/errors\/types)\/(\w+)$/

// The standard types have four spellings, which mean the same.
function sameError (error, expected) {
  assert.ok(error, 'there is no error')
  for (const [member, value] of Object.entries(expected)) {
    const plain = (v) => member === 'type' ? String(v).replace(SUFFIX, 'standard:$1') : v
    assert.deepEqual(plain(error[member]), plain(value), `'${member}' of the error ${JSON.stringify(error)}`)
  }
}

function property (value, dotted) {
  for (const name of dotted.split('.')) {
    assert.ok(value !== null && typeof value === 'object' && name in value, `no '${dotted}' in ${JSON.stringify(value)}`)
    value = value[name]
  }
  return value
}

function status (world, expected) {
  assert.equal(world.refused, undefined, `the definition was refused: ${world.refused}`)
  const shown = world.engine.show()
  assert.equal(shown.status, expected, JSON.stringify(shown.error ?? shown.waits))
  return shown
}

const output = (world) => status(world, 'completed').output

function ran (world, name) {
  const visits = world.engine.visits().filter((visit) => visit.ran)
  const found = visits.filter((visit) => visit.name === name)
  assert.ok(found.length > 0, `${name} has not run; what ran: ${visits.map((visit) => visit.name).join(', ')}`)
  return { visits, found, first: visits.indexOf(found[0]) }
}

function ended (world, name, how) {
  const visits = world.engine.visits().filter((visit) => visit.name === name)
  assert.ok(visits.length > 0, `${name} did not begin`)
  const last = visits[visits.length - 1]
  assert.equal(last.ended, how, `how ${name} ended`)
  return last
}

// ---- the kit's: Given and When

Given('a workflow with definition:', function (text) {
  this.definition = text
})

Given('given the workflow input is:', function (text) {
  this.input = yaml(text)
})

function execute (world, options) {
  if (world.later) {
    const { refused } = world.engine.validate(world.definition)
    assert.ok(refused?.includes(`\`${world.later}\` is valid in the language but not in this release`),
      `listed as refused for ${world.later}, but: ${refused ?? 'it is not refused'}`)
    return 'skipped'
  }
  world.refused = world.engine.run(world.definition, world.input, options).refused
}

When('the workflow is executed', function () {
  return execute(this)
})

// ---- the kit's: the workflow

Then('the workflow should complete', function () {
  status(this, 'completed')
})

Then('the workflow should complete with output:', function (text) {
  assert.deepEqual(output(this), yaml(text))
})

Then('the workflow should fault', function () {
  status(this, 'faulted')
})

Then('the workflow should fault with error:', function (text) {
  sameError(status(this, 'faulted').error, yaml(text))
})

Then('the workflow should cancel', function () {
  status(this, 'cancelled')
})

Then(/^the workflow output should have properties (.+)$/, function (names) {
  const value = output(this)
  const listed = [...names.matchAll(/'([^']+)'/g)].map((match) => match[1])
  assert.ok(listed.length > 0, `no properties in: ${names}`)
  for (const name of listed) property(value, name)
})

Then('the workflow output should have a(n) {string} property with value:', function (name, text) {
  assert.deepEqual(property(output(this), name), yaml(text))
})

Then('the workflow output should have a(n) {string} property containing {int} item(s)', function (name, count) {
  assert.equal(property(output(this), name).length, count)
})

// ---- the kit's: tasks

Then(/^(\S+) should run first$/, function (name) {
  assert.equal(ran(this, name).first, 0)
})

Then(/^(\S+) should run last$/, function (name) {
  const { visits, found } = ran(this, name)
  assert.equal(visits[visits.length - 1], found[found.length - 1], `the last to run was ${visits.at(-1).name}`)
})

Then(/^(\S+) should run after (\S+)$/, function (name, other) {
  assert.ok(ran(this, name).first > ran(this, other).first, `${name} ran before ${other}`)
})

Then(/^(\S+) should run before (\S+)$/, function (name, other) {
  assert.ok(ran(this, name).first < ran(this, other).first, `${name} ran after ${other}`)
})

Then(/^(\S+) should complete$/, function (name) {
  ended(this, name, 'completed')
})

Then(/^(\S+) should complete with output:$/, function (name, text) {
  const visit = ended(this, name, 'completed')
  assert.ok('output' in visit, `the log keeps outputs of calls and user tasks only, not of ${name}`)
  assert.deepEqual(visit.output, yaml(text))
})

Then(/^(\S+) should fault$/, function (name) {
  ended(this, name, 'faulted')
})

Then(/^(\S+) should fault with error:$/, function (name, text) {
  sameError(ended(this, name, 'faulted').error, yaml(text))
})

Then(/^(\S+) should cancel$/, function (name) {
  ended(this, name, 'cancelled')
})

// ---- our own: documented in README.md

Given('another workflow with definition:', function (text) {
  this.engine.deploy(text)
})

Then('the workflow should have started {int} other(s)', function (count) {
  assert.equal(this.engine.others().length, count)
})

Then('the others should be cancelled', function () {
  const others = this.engine.others().map((other) => other.status)
  assert.ok(others.length > 0, 'there are no others')
  assert.deepEqual(others, others.map(() => 'cancelled'))
})

When('the workflow is started', function () {
  return execute(this, { wait: false })
})

When('the workflow is cancelled', function () {
  this.engine.command('cancel')
})

When('the workflow is suspended', function () {
  this.engine.command('suspend')
})

When('the workflow is continued', function () {
  this.engine.command('continue')
})

When('{word} answers {string} with:', function (actor, key, text) {
  assert.ok(['waiting', 'suspended'].includes(this.engine.show().status), this.engine.show().status)
  this.engine.answer(key, yaml(text), actor)
})

Then('{word} should not be able to answer {string}, because {string}, with:', function (actor, key, why, text) {
  const refused = this.engine.answerRefused(key, yaml(text), actor)
  assert.ok(refused.includes(why), refused)
})

// What a message must have, and the text does not say, is added.
When('the event is published:', function (text) {
  this.engine.publish([yaml(text)])
})

When('the events are published:', function (text) {
  this.engine.publish(yaml(text))
})

Then('the workflow should be waiting for {string}', function (key) {
  const keys = status(this, 'waiting').waits.map((wait) => wait.key)
  assert.ok(keys.includes(key), `it waits for ${JSON.stringify(keys)}`)
})

Then('the workflow should be suspended', function () {
  status(this, 'suspended')
})

Then('the definition should be refused, naming {string}', function (what) {
  assert.notEqual(this.refused, undefined, 'the definition was not refused')
  assert.ok(this.refused.includes(what), this.refused)
})

Then('the workflow should not start, because {string}', function (why) {
  assert.notEqual(this.refused, undefined, 'the workflow has started')
  assert.ok(this.refused.includes(why), this.refused)
  assert.equal(this.engine.id, null)
})

Then(/^(\S+) should not run$/, function (name) {
  assert.deepEqual(this.engine.visits().filter((visit) => visit.ran && visit.name === name), [])
})

Then(/^(\S+) should run (\d+) times?$/, function (name, times) {
  assert.equal(ran(this, name).found.length, Number(times))
})

Then(/^(\S+) should be retried after ([\d, ]+) milliseconds$/, function (name, delays) {
  const { found } = ran(this, name)
  assert.deepEqual(found[0].retries, delays.split(',').map(Number))
})

Then(/^(\S+) should wait until (\d+) (month|second)s? after it began$/, function (name, number, unit) {
  const wait = status(this, 'waiting').waits.find((one) => one.name === name)
  assert.ok(wait, `${name} does not wait`)
  const since = new Date(wait.since)
  const due = unit === 'month' ? laterByMonths(since, Number(number)) : new Date(since.getTime() + 1000 * number)
  assert.equal(wait.dueAt, due.toISOString())
})

Then(/^(\S+) should time out (\d+) seconds? after it began$/, function (name, seconds) {
  const wait = this.engine.show().waits.find((one) => one.name === name)
  assert.ok(wait, `${name} does not wait`)
  assert.equal(wait.timeoutAt, new Date(new Date(wait.since).getTime() + 1000 * seconds).toISOString())
})

// Of a lifecycle event "task.started /do/0/a", of another its type.
function told (event) {
  const kind = /^io\.serverlessworkflow\.(.*)\.v1$/.exec(event.type)
  return kind ? [kind[1], event.data.task].filter(Boolean).join(' ') : event.type
}

function lifecycleEvent (world, what) {
  const found = world.engine.events().filter((event) => told(event) === what)
  assert.ok(found.length > 0, `no event '${what}' among: ${world.engine.events().map(told).join(', ')}`)
  return found[0]
}

Then('the events should be:', function (text) {
  assert.deepEqual(this.engine.events().map(told), text.split('\n').map((line) => line.trim()).filter(Boolean))
})

Then('there should be no events', function () {
  assert.deepEqual(this.engine.events().map(told), [])
})

Then('each event should have an id of its own', function () {
  const ids = this.engine.events().map((event) => event.id)
  assert.ok(ids.length > 0)
  assert.equal(new Set(ids).size, ids.length)
})

Then(/^the event '([^']+)' should have properties (.+)$/, function (what, names) {
  const event = lifecycleEvent(this, what)
  for (const [, name] of names.matchAll(/'([^']+)'/g)) property(event, name)
})

Then(/^the event '([^']+)' should have no property '([^']+)'$/, function (what, name) {
  assert.throws(() => property(lifecycleEvent(this, what), name), /^AssertionError.*: no '/)
})

Then(/^the event '([^']+)' should have an? '([^']+)' property with value:$/, function (what, name, text) {
  assert.deepEqual(property(lifecycleEvent(this, what), name), yaml(text))
})

// In UTC; a day that the month does not have becomes its last.
function laterByMonths (from, months) {
  const to = new Date(from)
  to.setUTCDate(1)
  to.setUTCMonth(to.getUTCMonth() + months)
  const last = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate()
  to.setUTCDate(Math.min(from.getUTCDate(), last))
  return to
}

Then('{string} should have been called {int} time(s)', async function (route, times) {
  const url = `http://127.0.0.1:${process.env.PAWL_CONFORMANCE_PORT}/calls?path=${encodeURIComponent(route)}`
  const text = await new Promise((resolve, reject) => {
    http.get(url, { headers: { Host: 'conformance.test' } }, (response) => {
      let body = ''
      response.on('data', (chunk) => { body += chunk })
      response.on('end', () => resolve(body))
    }).on('error', reject)
  })
  assert.equal(Number(text), times)
})

// ---- schedules

const schedule = (world) => {
  const found = world.engine.schedules()
  assert.equal(found.length, 1, JSON.stringify(found))
  return found[0]
}

When('the workflow is deployed', function () {
  this.refused = this.engine.deploy(this.definition).refused
  assert.equal(this.refused, undefined, `the definition was refused: ${this.refused}`)
})

When('its schedule has started {int} instance(s)', function (count) {
  for (let tries = 0; this.engine.scheduled().length < count; tries++) {
    assert.ok(tries < 200, `${this.engine.scheduled().length} were started`)
    this.engine.work()
  }
})

When('time passes', function () {
  this.before = this.engine.scheduled().length
  this.engine.work()
})

When('its schedule is {word}', function (what) {
  this.engine.command({ suspended: 'suspend', cancelled: 'cancel' }[what])
})

Then('its schedule should be due {int} second(s) after it began', function (seconds) {
  const shown = this.engine.show()
  assert.equal(Date.parse(schedule(this).next) - Date.parse(shown.createdAt), seconds * 1000)
})

Then('its schedule should be due at {string}', function (end) {
  assert.ok(schedule(this).next.endsWith(end), schedule(this).next)
})

Then('its schedule should wait for messages', function () {
  const found = schedule(this)
  assert.deepEqual([found.kind, found.status, found.next], ['on', 'waiting', undefined])
})

Then('the only schedule should be that of version {word}', function (version) {
  assert.equal(schedule(this).version, version)
})

Then('there should be no schedule', function () {
  assert.deepEqual(this.engine.schedules(), [])
})

Then('each of them should complete with output:', function (text) {
  for (const one of this.engine.scheduled()) assert.deepEqual([one.status, one.output], ['completed', yaml(text)])
})

Then('each of them but the last should have faulted', function () {
  for (const one of this.engine.scheduled().slice(1)) assert.equal(one.status, 'faulted')
})

Then('no more instances should have been started', function () {
  assert.equal(this.engine.scheduled().length, this.before)
})

// ---- the language's own examples

Given('the example {string}', function (name) {
  this.definition = fs.readFileSync(path.join(process.env.PAWL_CONFORMANCE_EXAMPLES, name), 'utf8')
})

Given('the example {string} in loose mode', function (name) {
  const text = fs.readFileSync(path.join(process.env.PAWL_CONFORMANCE_EXAMPLES, name), 'utf8')
  this.definition = text.replace(/^do:/m, 'evaluate: { mode: loose }\ndo:')
  assert.notEqual(this.definition, text)
})

Then('it is refused because of {string}', function (what) {
  const { refused } = this.engine.validate(this.definition)
  assert.ok(refused?.includes(`\`${what}\` is valid in the language but not in this release`), refused ?? 'it is valid')
})
