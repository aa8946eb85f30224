// The REST page: Swagger UI, with tenant and token entered once for every request that is tried.
"use strict";

const tenant = document.getElementById("tenant");
const token = document.getElementById("token");

document.getElementById("who").addEventListener("submit", (event) => event.preventDefault());

function identify(request) {
  // Only our own API: the document itself needs nobody's token.
  if (!new URL(request.url, location.href).pathname.includes("/api/")) return request;
  const said = new Set(Object.keys(request.headers).map((name) => name.toLowerCase()));
  const credentials = token.value.trim();
  if (tenant.value.trim() && !said.has("x-tenant")) request.headers["X-Tenant"] = tenant.value.trim();
  if (credentials && !said.has("authorization")) {
    request.headers.Authorization = credentials.includes(" ") ? credentials : `Bearer ${credentials}`;
  }
  return request;
}

function remember(response) {
  if (response.ok && new URL(response.url).pathname.endsWith("/auth/login")) {
    token.value = JSON.parse(response.text).access_token;
  }
  return response;
}

window.ui = SwaggerUIBundle({
  url: "spec/billing-manager/openapi.json",
  dom_id: "#api",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
  requestInterceptor: identify,
  responseInterceptor: remember,
});
