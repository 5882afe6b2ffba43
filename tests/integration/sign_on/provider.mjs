// An OpenID provider for tests (npm: oidc-provider). Settings are the JSON of the first argument.
// Below /test/ a test changes what the provider knows: people, keys, whether it answers at all.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const settings = JSON.parse(process.argv[2]);
let people = settings.people;
let away = false;
let handle = makeHandler(settings.keys);

function makeHandler(keys) {
  const provider = new Provider(settings.issuer, {
    jwks: { keys },
    clients: settings.clients,
    clientDefaults: { id_token_signed_response_alg: keys[0].alg },
    claims: { profile: ["preferred_username", "groups"] },
    scopes: ["openid", "profile", "offline_access"],
    pkce: { required: () => true },
    cookies: { keys: ["a key for the cookies of tests"] },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
    ttl: { AccessToken: settings.access_token_s, ClientCredentials: 600, Session: 3600,
           Interaction: 3600, Grant: 3600, IdToken: 600, RefreshToken: 3600 },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256"] },
    findAccount: (_context, id) => people[id] && {
      accountId: id,
      claims: () => ({ sub: id, ...people[id] }),
    },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: (_context, resource) => ({
          scope: "read",
          audience: resource.replace("urn:audience:", ""),
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: keys[0].alg } },
        }),
      },
    },
    extraTokenClaims: (_context, token) => ({ groups: people[token.clientId]?.groups ?? [] }),
  });
  provider.proxy = settings.host !== "127.0.0.1"; // what stands before it says that it is https
  return provider.callback();
}

function readBody(request) {
  return new Promise((resolve) => {
    let text = "";
    request.on("data", (part) => (text += part));
    request.on("end", () => resolve(JSON.parse(text)));
  });
}

const server = createServer(async (request, response) => {
  if (!request.url.startsWith("/test/")) {
    if (away) response.writeHead(503).end();
    else handle(request, response);
    return;
  }
  const body = await readBody(request);
  if (request.url === "/test/people") people = body;
  if (request.url === "/test/keys") handle = makeHandler(body); // sessions stay: they are global
  if (request.url === "/test/away") away = body;
  response.end();
});

server.listen(settings.port, settings.host);
// the test that started it holds this pipe: it ends with it
process.stdin.on("end", () => process.exit(0)).resume();
