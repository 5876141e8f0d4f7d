// The subpath `anneal/prompting/service`: programs as services, and tools over MCP. Nothing here needs LibTorch.

export type { McpCommand } from './mcp-process.ts'
export { type McpServerOptions, serveMcp } from './mcp-server.ts'
export { type McpAddress, McpError, type McpTools, type McpToolsOptions, mcpTools } from './mcp-tools.ts'
export { type Service, type ServiceCallOptions, type ServiceOptions, service } from './service.ts'
export { type FaultCode, ServiceFault } from './service-fault.ts'
export { type ServiceHandler, type ServiceHandlerOptions, serviceHandler } from './service-handler.ts'
