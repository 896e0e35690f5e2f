// A client of the Model Context Protocol on its TypeScript SDK: lists every tool, makes the calls that it is
// given as JSON on its last argument, and prints what came of them. The user behind it approves everything.
//
//   node mcp_client.mjs http ADDRESS KEY '[{"name": "…", "arguments": {…}}]'
//   node mcp_client.mjs stdio COMMAND ARGUMENT… '[…]'
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [kind, ...rest] = process.argv.slice(2);
const calls = JSON.parse(rest.pop());
const transport =
  kind === "http"
    ? new StreamableHTTPClientTransport(new URL(rest[0]), {
        requestInit: { headers: { authorization: `Bearer ${rest[1]}` } },
      })
    : new StdioClientTransport({ command: rest[0], args: rest.slice(1), env: process.env, stderr: "ignore" });

const client = new Client({ name: "peer", version: "1.0.0" }, { capabilities: { elicitation: { form: {} } } });
const asked = [];
client.setRequestHandler(ElicitRequestSchema, (request) => {
  asked.push(request.params.message);
  return { action: "accept", content: { approve: true } };
});
await client.connect(transport);

const tools = [];
let cursor;
do {
  const page = await client.listTools(cursor === undefined ? {} : { cursor });
  tools.push(...page.tools);
  cursor = page.nextCursor;
} while (cursor !== undefined);

const results = [];
for (const call of calls) {
  try {
    results.push(await client.callTool(call));
  } catch (error) {
    results.push({ error: { code: error.code, message: error.message } });
  }
}
console.log(JSON.stringify({ server: client.getServerVersion(), tools, results, asked }));
await client.close();
