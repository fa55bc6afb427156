'use strict'
// later.js - scenarios of the kit that need what the engine refuses by name. A scenario that is not here must
// run and pass; one that is here must be refused for just this.

module.exports = {
  'Call OpenAPI With Content Output': 'call: openapi',
  'Call OpenAPI With Response Output': 'call: openapi'
}
