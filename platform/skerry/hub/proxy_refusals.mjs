// Node loads this before configurable-http-proxy: an address that cannot be decoded, such as
// /100% or /%ED%A0%80, is the visitor's mistake (400), where the proxy speaks of its own (500).
import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";

const program = pathToFileURL(realpathSync(process.argv[1]));
const { ConfigurableProxy } = await import(new URL("../lib/configproxy.js", program));
const answerError = ConfigurableProxy.prototype.handleProxyError;

function cannotBeDecoded(error) {
  return error instanceof URIError || error?.code === "ERR_INVALID_URL";
}

ConfigurableProxy.prototype.handleProxyError = function (code, kind, request, answer, error) {
  if (code === 500 && cannotBeDecoded(error)) {
    return answerError.call(this, 400, kind, request, answer);
  }
  return answerError.call(this, code, kind, request, answer, error);
};
