// Answers what a payload format says of the request.
exports.handler = async (event) => {
  if (event.queryStringParameters?.fail) throw new TypeError('asked to fail');
  const seen = {
    version: event.version ?? 'none',
    key: event.routeKey ?? event.resource,
    path: event.rawPath ?? event.path,
    stage: event.requestContext.stage,
    parameters: event.pathParameters ?? null,
    query: event.multiValueQueryStringParameters ?? event.queryStringParameters ?? null,
    body: event.body ?? null,
  };
  return { statusCode: 200, headers: { 'content-type': 'application/json', 'x-runtime': 'node' }, body: JSON.stringify(seen) };
};
