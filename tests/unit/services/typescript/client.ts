// A client of the api in TypeScript, as far as the compiler has to see it: nobody runs it.
import type { components, operations } from "./api";
import type { components as maps } from "./maps";

type Run = components["schemas"]["Run"];
type RunDetails = components["schemas"]["RunDetails"];
type RunOrder = components["schemas"]["RunOrder"];
type Problem = components["schemas"]["Problem"];

export function describe(run: Run): string {
  return `${run.job} ${run.status} ${run.progress.done}/${run.progress.total}`;
}

export async function startRun(job: string, order: RunOrder): Promise<RunDetails> {
  const path = `/services/api/production/jobs/${job}/runs`;
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(order) });
  if (!answer.ok) {
    const problem: Problem = await answer.json();
    throw new Error(`${problem.detail} ${problem.remedy}`);
  }
  return answer.json();
}

export const query: operations["list_runs"]["parameters"]["query"] = { status: "failed", limit: 20 };
export const order: RunOrder = { parameters: { minute: 1 }, data_day: "2026-05-01" };
export const bounds = (layer: maps["schemas"]["TileJson"]): number => layer.bounds[0];
export const place = (item: components["schemas"]["Item"]): string => item.id;

// @ts-expect-error: there is no such status
export const wrongStatus: Run["status"] = "finished";
// @ts-expect-error: an order has no such field
export const wrongOrder: RunOrder = { priority: 1 };
// @ts-expect-error: a run that has not started has no time
export const started = (run: Run): string => run.started;
