'use strict'
// services.js - the outside world of the scenarios, on loopback: the services that the kit and the examples
// name, and http://conformance.test for our own suite. One server for http, one for https; the Host header
// says which service is meant. What a service answers depends on the request alone, except for /flaky, which
// counts by path: each scenario uses a path of its own.

const http = require('node:http')
const https = require('node:https')

const PLAIN = ['conformance.test']
const SECURE = ['conformance.test', 'petstore.swagger.io', 'httpbin.org', 'fake-hospital.com',
  'swapi.dev', 'superbet-casinos.com', 'external-service.example.com', 'fake-chat-api.com', 'virtual-wf-powered-race.com']

function json (response, status, value, type = 'application/json') {
  response.writeHead(status, { 'Content-Type': type })
  response.end(JSON.stringify(value))
}

// ---- the pet store of the kit

const pet = (id) => ({ id, name: `pet-${id}`, status: 'available', photoUrls: [], tags: [] })

function petstore (request, response, url, body) {
  const byId = /^\/v2\/pet\/(\d+)$/.exec(url.pathname)
  if (url.pathname === '/v2/pet/findByStatus') {
    const wanted = url.searchParams.getAll('status')
    json(response, 200, wanted.includes('available') ? [pet(1), pet(2), pet(3)] : [])
  } else if (byId && byId[1] === '401') { // a pet that only a bearer may see
    const good = request.headers.authorization === 'Bearer conformance'
    json(response, good ? 200 : 401, good ? pet(401) : { code: 401 })
  } else if (request.method === 'PUT' && /^\/v2\/pet\/?$/.test(url.pathname)) {
    json(response, 200, JSON.parse(body))
  } else if (byId) {
    json(response, 200, pet(Number(byId[1])))
  } else {
    json(response, 404, { code: 404, type: 'unknown', message: 'Pet not found' })
  }
}

// Who is asked for by the examples with the star wars.
const luke = { name: 'Luke Skywalker', homeworld: 'https://swapi.dev/api/planets/1/' }

function swapi (request, response, url) {
  const search = url.searchParams.get('search')
  const answers = {
    '/api/people/': { count: search === 'luke' ? 1 : 0, results: search === 'luke' ? [luke] : [] },
    '/api/people/1': luke,
    '/api/planets/1/': { name: 'Tatooine' }
  }
  json(response, url.pathname in answers ? 200 : 404, answers[url.pathname] ?? { detail: 'Not found' })
}

function httpbin (request, response, url) {
  const match = /^\/basic-auth\/([^/]+)\/([^/]+)$/.exec(url.pathname)
  if (!match) return json(response, 404, {})
  const [user, password] = match.slice(1).map(decodeURIComponent)
  const wanted = 'Basic ' + Buffer.from(`${user}:${password}`).toString('base64')
  if (request.headers.authorization === wanted) return json(response, 200, { authenticated: true, user })
  response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="conformance"' })
  response.end()
}

// ---- conformance.test: documented in README.md, so that it can be served for another engine

function echo (request, response, url, body) {
  let parsed = body.toString()
  if (/json/.test(request.headers['content-type'] || '') && parsed) parsed = JSON.parse(parsed)
  json(response, 200, {
    method: request.method,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: request.headers,
    body: parsed
  })
}

const CONTENT = {
  json: ['application/json', '{"name":"Rex","age":3}'],
  'json-charset': ['application/json; charset=utf-8', '{"name":"Žofka"}'],
  problem: ['application/problem+json', '{"type":"about:blank"}'],
  text: ['text/plain', 'hello'],
  html: ['text/html; charset=utf-8', '<p>hello</p>'],
  binary: ['application/octet-stream', Buffer.from([0, 1, 2, 255])],
  untyped: [null, Buffer.from('raw')],
  broken: ['application/json', '{"name":']
}

function conformance (request, response, url, body, counts) {
  const [what, ...rest] = url.pathname.slice(1).split('/').map(decodeURIComponent)
  if (what === 'echo') return echo(request, response, url, body)
  if (what === 'content' && CONTENT[rest[0]]) {
    const [type, text] = CONTENT[rest[0]]
    response.writeHead(200, type ? { 'Content-Type': type } : {})
    return response.end(text)
  }
  if (what === 'status') return json(response, Number(rest[0]), { status: Number(rest[0]) })
  if (what === 'redirect') { // N hops, then /content/json
    const left = Number(rest[0]) - 1
    response.writeHead(302, { Location: left > 0 ? `/redirect/${left}` : '/content/json' })
    return response.end()
  }
  if (what === 'flaky') { // NAME, STATUS, FAILURES: fails so often, then tells how often it was asked
    const asked = counts.get(url.pathname)
    if (asked <= Number(rest[2])) return json(response, Number(rest[1]), { asked })
    return json(response, 200, { asked })
  }
  if (what === 'basic') return httpbin(request, response, new URL(`http://x/basic-auth/${rest.map(encodeURIComponent).join('/')}`))
  if (what === 'bearer') {
    return json(response, request.headers.authorization === `Bearer ${rest[0]}` ? 200 : 401, { token: rest[0] })
  }
  if (what === 'never') return // the caller has to give up
  if (what === 'calls') return json(response, 200, counts.get(url.searchParams.get('path')) || 0)
  json(response, 404, { path: url.pathname })
}

// ---- by name

function serve (counts) {
  return (request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const host = (request.headers.host || '').split(':')[0]
      const url = new URL(request.url, `http://${host}`)
      if (url.pathname !== '/calls') counts.set(url.pathname, (counts.get(url.pathname) || 0) + 1)
      const body = Buffer.concat(chunks)
      switch (host) {
        case 'petstore.swagger.io': return petstore(request, response, url, body)
        case 'httpbin.org': return httpbin(request, response, url)
        case 'swapi.dev': return swapi(request, response, url)
        case 'conformance.test': return conformance(request, response, url, body, counts)
        case 'fake-hospital.com': return json(response, 200, { alerted: url.pathname.split('/').pop() })
        case 'superbet-casinos.com': return json(response, 200, { accepted: true, bet: JSON.parse(body).bet })
        case 'fake-chat-api.com': return json(response, 200, { posted: true })
        case 'virtual-wf-powered-race.com': return json(response, 200, { path: url.pathname })
        case 'external-service.example.com': return json(response, 503, {})
        default: return json(response, 421, { host })
      }
    })
  }
}

function listen (server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server.address().port))
  })
}

// key, cert: PEM. Gives the egress map that leads to the services, the port for questions, and stop().
async function start ({ key, cert }) {
  const counts = new Map()
  const plain = http.createServer(serve(counts))
  const secure = https.createServer({ key, cert }, serve(counts))
  const [plainPort, securePort] = [await listen(plain), await listen(secure)]
  const map = [...PLAIN.map((name) => `http://${name}=127.0.0.1:${plainPort}`),
    ...SECURE.map((name) => `https://${name}=127.0.0.1:${securePort}`)]
  return {
    map: map.join(','),
    port: plainPort,
    stop () {
      for (const server of [plain, secure]) {
        server.close()
        server.closeAllConnections()
      }
    }
  }
}

module.exports = { start, names: [...new Set([...PLAIN, ...SECURE])] }
