'use strict'
// engine.js - one scenario's workflow, run by the pawl binary on a store of its own. Another engine is
// tested by writing this file anew: the steps see nothing else of it.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

// The events that are to be published, in their order.
const OUTBOX = `import sqlite3, sys
for (payload,) in sqlite3.connect(sys.argv[1]).execute('SELECT payload FROM outbox ORDER BY instance, step, ordinal'):
    print(payload)`

const LIMIT_MS = 60000
const STATUS = { 0: 'completed', 1: 'ended', 4: 'waiting' }

class Engine {
  constructor () {
    this.folder = fs.mkdtempSync(path.join(process.env.PAWL_CONFORMANCE_FOLDER || os.tmpdir(), 'scenario-'))
    this.store = 'sqlite:' + path.join(this.folder, 'store.db')
    this.id = null
    this.published = 0
  }

  close () {
    fs.rmSync(this.folder, { recursive: true, force: true })
  }

  pawl (...words) {
    const env = { ...process.env, TMPDIR: this.folder }
    delete env.PAWL_DB
    delete env.PAWL_FAULT
    const done = spawnSync(process.env.PAWL, words, { env, timeout: LIMIT_MS, killSignal: 'SIGKILL', encoding: 'utf8' })
    if (done.error) throw done.error
    if (done.signal) throw new Error(`pawl ${words[0]} died of ${done.signal}: ${done.stderr}`)
    return { code: done.status, out: done.stdout, err: done.stderr }
  }

  file (name, text) {
    const file = path.join(this.folder, name)
    fs.writeFileSync(file, text)
    return file
  }

  // Makes another definition known, for the one that is run. A valid one is needed.
  deploy (definition) {
    const done = this.pawl('deploy', this.file('other.yaml', definition), '--db', this.store)
    if (done.code !== 0) throw new Error(`pawl deploy ended with ${done.code}: ${done.err}`)
  }

  // The instances that the workflow has started itself: {name, status, output}.
  others () {
    const done = this.pawl('ls', '--parent', this.id, '--db', this.store, '--json', '--limit', '1000')
    if (done.code !== 0) throw new Error(`pawl ls ended with ${done.code}: ${done.err}`)
    return JSON.parse(done.out).instances
  }

  // Runs the definition to its end, or to where only a person can move it. {refused: text} if it is not valid.
  run (definition, input, { wait = true } = {}) {
    const words = ['run', this.file('workflow.yaml', definition), '--db', this.store, '--json', '--input',
      '@' + this.file('input.json', JSON.stringify(input))]
    const done = this.pawl(...words, ...(wait ? [] : ['--no-wait']))
    if (done.code === 2) return { refused: done.err.replaceAll(this.folder, '') }
    if (wait) this.took(done)
    else if (done.code !== 0) throw new Error(`pawl run ended with ${done.code}: ${done.err}`)
    this.id = JSON.parse(done.out).id
    return {}
  }

  validate (definition) {
    const done = this.pawl('validate', this.file('workflow.yaml', definition))
    if (done.code === 0) return {}
    if (done.code === 2) return { refused: (done.out + done.err).replaceAll(this.folder, '') }
    throw new Error(`pawl validate ended with ${done.code}: ${done.err}`)
  }

  // ---- schedules

  // Publishes the definition. {refused: text} if it is not valid.
  deploy (definition) {
    const done = this.pawl('deploy', this.file('workflow.yaml', definition), '--db', this.store, '--json')
    if (done.code === 2) return { refused: done.err.replaceAll(this.folder, '') }
    if (done.code !== 0) throw new Error(`pawl deploy ended with ${done.code}: ${done.err}`)
    this.id = JSON.parse(done.out).schedule
    return {}
  }

  schedules () {
    const done = this.pawl('schedules', '--db', this.store, '--json')
    if (done.code !== 0) throw new Error(`pawl schedules ended with ${done.code}: ${done.err}`)
    return JSON.parse(done.out).schedules
  }

  // What the schedule has started.
  scheduled () {
    const done = this.pawl('ls', '--parent', this.id, '--db', this.store, '--json')
    if (done.code !== 0) throw new Error(`pawl ls ended with ${done.code}: ${done.err}`)
    return JSON.parse(done.out).instances
  }

  // Somebody owns the store for a fifth of a second: what is due in it moves.
  work () {
    const text = "document: { dsl: '1.0.3', namespace: conformance, name: passing-time, version: '1.0.0' }\n" +
      'do: [ { pass: { wait: { milliseconds: 200 } } } ]\n'
    const done = this.pawl('run', this.file('time.yaml', text), '--db', this.store, '--json')
    if (done.code !== 0) throw new Error(`pawl run ended with ${done.code}: ${done.err}`)
  }

  took (done) {
    if (!(done.code in STATUS)) throw new Error(`pawl ended with ${done.code}: ${done.err}`)
    this.exit = STATUS[done.code]
    this.shown = null
  }

  answer (key, data, actor) {
    this.took(this.pawl('resume', this.id, '--key', key, '--data', '@' + this.file('data.json', JSON.stringify(data)),
      '--actor', actor, '--db', this.store, '--json', '--until', 'settled'))
  }

  // What is said of data that nobody may submit.
  answerRefused (key, data, actor) {
    const done = this.pawl('resume', this.id, '--key', key, '--data', '@' + this.file('data.json', JSON.stringify(data)),
      '--actor', actor, '--db', this.store, '--json')
    if (done.code in STATUS && done.code !== 1) throw new Error(`pawl resume ended with ${done.code}: it was taken`)
    return done.err
  }

  // Until only a person or a message can move what listens.
  publish (events) {
    const whole = events.map((event) => ({ specversion: '1.0', id: `m${++this.published}`, source: '/conformance', ...event }))
    const done = this.pawl('send', '--event', this.file('events.json', JSON.stringify(whole)), '--batch', '--db', this.store,
      '--json')
    if (done.code !== 0) throw new Error(`pawl send ended with ${done.code}: ${done.err}`)
    this.exit = this.shown = null
  }

  command (name) {
    const done = this.pawl(name, this.id, '--db', this.store, '--json')
    if (done.code !== 0 && STATUS[done.code] !== 'waiting') throw new Error(`pawl ${name} ended with ${done.code}: ${done.err}`)
    this.exit = this.shown = null
  }

  // {status, output, error, waits}; what the exit code said must agree.
  show () {
    if (this.shown) return this.shown
    const done = this.pawl('show', this.id, '--db', this.store, '--json')
    if (done.code !== 0) throw new Error(`pawl show ended with ${done.code}: ${done.err}`)
    const shown = JSON.parse(done.out)
    const ended = { completed: 'completed', faulted: 'ended', cancelled: 'ended', waiting: 'waiting', suspended: 'waiting' }[shown.status]
    if (this.exit && this.exit !== ended) throw new Error(`the exit code says ${this.exit}, pawl show ${shown.status}`)
    this.shown = shown
    return shown
  }

  // CloudEvents as the workflow has sent them, lifecycle events among them.
  events () {
    const done = spawnSync('python3', ['-c', OUTBOX, this.store.slice('sqlite:'.length)], { encoding: 'utf8' })
    if (done.status !== 0) throw new Error(`the outbox cannot be read: ${done.stderr}`)
    return done.stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line))
  }

  // What became of each visit of a task, in the order in which they began:
  // {name, pointer, ran, ended: completed|faulted|cancelled|skipped|undefined, output, error, retries: [ms]}
  visits () {
    const done = this.pawl('log', this.id, '--db', this.store, '--json')
    if (done.code !== 0) throw new Error(`pawl log ended with ${done.code}: ${done.err}`)
    const visits = new Map()
    for (const entry of done.out.trim().split('\n').flatMap((line) => JSON.parse(line).entries)) {
      if (!entry.task) continue
      const visit = visits.get(entry.visit) || { name: nameOf(entry.task), pointer: entry.task, ran: false, retries: [] }
      visits.set(entry.visit, visit)
      const [, what] = entry.type.split('.')
      if (!['cancelled', 'skipped'].includes(what)) visit.ran = true
      if (['completed', 'faulted', 'cancelled', 'skipped'].includes(what)) visit.ended = what
      if (what === 'completed' && 'output' in entry) visit.output = entry.output
      if (what === 'faulted') visit.error = entry.error
      if (what === 'retried') visit.retries.push(entry.delayMs)
    }
    return [...visits.values()]
  }
}

function nameOf (pointer) {
  return pointer.slice(pointer.lastIndexOf('/') + 1).replaceAll('~1', '/').replaceAll('~0', '~')
}

module.exports = { Engine }
