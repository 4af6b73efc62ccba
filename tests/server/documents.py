"""The documents that clients send (protocol sections 3.3 to 3.5 and 3.9), in our own words: names are the wire's."""

_RUN_FIELDS = """
fragment Whole on Run {
  id tags name displayName sweepName state config group jobType commit readOnly createdAt heartbeatAt
  description notes systemMetrics summaryMetrics historyLineCount user { name username } historyKeys
}
"""
_USER_FIELDS = """
fragment Person on User {
  id name username email admin flags entity deletedAt
  apiKeys { edges { node { id name description } } } teams { edges { node { name } } }
}
"""

AGENT = {
    "ProjectRunQueues": """query ProjectRunQueues($entity: String!, $projectName: String!) {
        project(entityName: $entity, name: $projectName) { runQueues { id name createdBy access } } }""",
    "createLaunchAgent": """mutation createLaunchAgent($entity: String!, $project: String!, $queues: [ID!]!,
        $hostname: String!, $agentConfig: JSONString, $version: String) {
        createLaunchAgent(input: {entityName: $entity, projectName: $project, runQueues: $queues, hostname: $hostname,
          agentConfig: $agentConfig, version: $version}) { launchAgentId } }""",
    "LaunchAgent": """query LaunchAgent($agentId: ID!) {
        launchAgent(id: $agentId) { id name runQueues hostname agentStatus stopPolling heartbeatAt } }""",
    "updateLaunchAgent": """mutation updateLaunchAgent($agentId: ID!, $agentStatus: String) {
        updateLaunchAgent(input: {launchAgentId: $agentId agentStatus: $agentStatus}) { success } }""",
    "EntityIsTeam": "query EntityIsTeam($entity: String!) { entity(name: $entity) { id isTeam } }",
    "popFromRunQueue": """mutation popFromRunQueue($entity: String!, $project: String!, $queueName: String!,
        $launchAgentId: ID) { popFromRunQueue(input: {entityName: $entity, projectName: $project,
          queueName: $queueName, launchAgentId: $launchAgentId}) { runQueueItemId runSpec } }""",
    "ackRunQueueItem": """mutation ackRunQueueItem($itemId: ID!, $runId: String!) {
        ackRunQueueItem(input: {runQueueItemId: $itemId, runName: $runId}) { success } }""",
    "failRunQueueItem": """mutation failRunQueueItem($runQueueItemId: ID!, $message: String!, $stage: String!,
        $filePaths: [String!]) { failRunQueueItem(input: {runQueueItemId: $runQueueItemId message: $message
          stage: $stage filePaths: $filePaths}) { success } }""",
    "updateRunQueueItemWarning": """mutation updateRunQueueItemWarning($runQueueItemId: ID!, $message: String!,
        $stage: String!, $filePaths: [String!]) { updateRunQueueItemWarning(input: {runQueueItemId: $runQueueItemId
          message: $message stage: $stage filePaths: $filePaths}) { success } }""",
    "RunStoppedStatus": """query RunStoppedStatus($projectName: String, $entityName: String, $runId: String!) {
        project(name: $projectName, entityName: $entityName) { run(name: $runId) { stopped } } }""",
    "RunState": """query RunState($project: String!, $entity: String!, $name: String!) {
        project(name: $project, entityName: $entity) { run(name: $name) { state } } }""",
    "GetSweepState": """query GetSweepState($entity: String, $project: String, $sweep: String!) {
        project(name: $project, entityName: $entity) { sweep(sweepName: $sweep) { state } } }""",
}

CLIENT = {
    "pushToRunQueueByName": """mutation pushToRunQueueByName($entityName: String!, $projectName: String!,
        $queueName: String!, $runSpec: JSONString!) { pushToRunQueueByName(input: {entityName: $entityName,
          projectName: $projectName, queueName: $queueName, runSpec: $runSpec}) { runQueueItemId runSpec } }""",
    "pushToRunQueueByName with priority": """mutation pushToRunQueueByName($entityName: String!, $projectName: String!,
        $queueName: String!, $runSpec: JSONString!, $priority: Int, $templateVariableValues: JSONString) {
        pushToRunQueueByName(input: {entityName: $entityName, projectName: $projectName, queueName: $queueName,
          runSpec: $runSpec, priority: $priority, templateVariableValues: $templateVariableValues})
          { runQueueItemId runSpec } }""",
    "pushToRunQueue": """mutation pushToRunQueue($queueID: ID!, $runSpec: JSONString!,
        $templateVariableValues: JSONString) { pushToRunQueue(input: {queueID: $queueID, runSpec: $runSpec,
          templateVariableValues: $templateVariableValues}) { runQueueItemId } }""",
    "GetRunQueueItem": """query GetRunQueueItem($projectName: String!, $entityName: String!, $runQueue: String!,
        $itemId: ID!) { project(name: $projectName, entityName: $entityName) { runQueue(name: $runQueue) {
          runQueueItem(id: $itemId) { id state associatedRunId } } } }""",
    "GetRunQueueItem of old clients": """query GetRunQueueItem($projectName: String!, $entityName: String!,
        $runQueue: String!) { project(name: $projectName, entityName: $entityName) { runQueue(name: $runQueue) {
          runQueueItems { edges { node { id state associatedRunId } } } } } }""",
    "fetchRunQueuesFromProject": """query fetchRunQueuesFromProject($entityName: String!, $projectName: String!,
        $runQueueName: String!) { project(name: $projectName, entityName: $entityName) {
          runQueue(name: $runQueueName) { id } } }""",
    "DeleteFromRunQueue": """mutation DeleteFromRunQueue($queueID: ID!, $runQueueItemId: ID!) {
        deleteFromRunQueue(input: {queueID: $queueID runQueueItemId: $runQueueItemId})
          { success clientMutationId } }""",
    "GetRunQueueMetadata": """query GetRunQueueMetadata($projectName: String!, $entityName: String!,
        $runQueue: String!) { project(name: $projectName, entityName: $entityName) { runQueue(name: $runQueue) {
          id access defaultResourceConfigID prioritizationMode externalLinks } } }""",
    "GetDefaultResourceConfig": """query GetDefaultResourceConfig($entityName: String!, $id: ID!) {
        entity(name: $entityName) { defaultResourceConfig(id: $id) {
          config resource templateVariables { name schema } } } }""",
    "GetRunQueueItems": """query GetRunQueueItems($projectName: String!, $entityName: String!, $runQueue: String!) {
        project(name: $projectName, entityName: $entityName) { runQueue(name: $runQueue) {
          runQueueItems(first: 100) { edges { node { id } } } } } }""",
    "DeleteRunQueue": """mutation DeleteRunQueue($id: ID!) {
        deleteRunQueues(input: {queueIDs: [$id]}) { success clientMutationId } }""",
    "CreateProject": """mutation CreateProject($input: UpsertModelInput!) { result: upsertModel(input: $input) {
        project { ...Made } model { ...Made } inserted } }
        fragment Made on Project { id name entityName description access views }""",
    "CreateDefaultResourceConfig": """mutation CreateDefaultResourceConfig($entityName: String!, $resource: String!,
        $config: JSONString!, $templateVariables: JSONString) { createDefaultResourceConfig(input: {
          entityName: $entityName, resource: $resource, config: $config, templateVariables: $templateVariables})
          { defaultResourceConfigID success } }""",
    "CreateRunQueue": """mutation CreateRunQueue($entity: String!, $project: String!, $queueName: String!,
        $access: RunQueueAccessType!, $prioritizationMode: RunQueuePrioritizationMode, $defaultResourceConfigID: ID) {
        createRunQueue(input: {entityName: $entity, projectName: $project, queueName: $queueName, access: $access,
          prioritizationMode: $prioritizationMode, defaultResourceConfigID: $defaultResourceConfigID})
          { success queueID } }""",
    "UpsertRunQueue": """mutation UpsertRunQueue($entityName: String!, $projectName: String!, $queueName: String!,
        $resourceType: String!, $resourceConfig: JSONString!, $templateVariables: JSONString,
        $prioritizationMode: RunQueuePrioritizationMode, $externalLinks: JSONString, $clientMutationId: String) {
        upsertRunQueue(input: {entityName: $entityName, projectName: $projectName, queueName: $queueName,
          resourceType: $resourceType, resourceConfig: $resourceConfig, templateVariables: $templateVariables,
          prioritizationMode: $prioritizationMode, externalLinks: $externalLinks, clientMutationId: $clientMutationId})
          { success configSchemaValidationErrors } }""",
    "GetDefaultEntity": "query GetDefaultEntity { viewer { id entity } }",
    "GetViewer": "query GetViewer { viewer { ...Person } }" + _USER_FIELDS,
    "Viewer": "query Viewer { viewer { id entity username email flags teams { edges { node { name } } } } }",
}

RUNS = {
    "UpsertBucket of the SDK": """mutation UpsertBucket($id: String, $name: String, $project: String, $entity: String,
        $groupName: String, $description: String, $displayName: String, $notes: String, $commit: String,
        $config: JSONString, $host: String, $debug: Boolean, $program: String, $repo: String, $jobType: String,
        $state: String, $sweep: String, $tags: [String!], $summaryMetrics: JSONString) {
        upsertBucket(input: {id: $id, name: $name, groupName: $groupName, modelName: $project, entityName: $entity,
          description: $description, displayName: $displayName, notes: $notes, config: $config, commit: $commit,
          host: $host, debug: $debug, jobProgram: $program, jobRepo: $repo, jobType: $jobType, state: $state,
          sweep: $sweep, tags: $tags, summaryMetrics: $summaryMetrics}) {
          bucket { id name displayName description config sweepName project { id name entity { id name } }
            historyLineCount } inserted } }""",
    "UpsertBucket of the public API": """mutation UpsertBucket($project: String, $entity: String, $name: String!,
        $state: String) { upsertBucket(input: {modelName: $project, entityName: $entity, name: $name, state: $state}) {
          bucket { project { name entity { name } } id name } inserted } }""",
    "UpsertBucket of run.update": """mutation UpsertBucket($id: String!, $description: String, $display_name: String,
        $notes: String, $tags: [String!], $config: JSONString!, $groupName: String, $jobType: String) {
        upsertBucket(input: {id: $id, description: $description, displayName: $display_name, notes: $notes, tags: $tags,
          config: $config, groupName: $groupName, jobType: $jobType}) { bucket { ...Whole } } }"""
    + _RUN_FIELDS,
    "RunResumeStatus": """query RunResumeStatus($project: String, $entity: String, $name: String!) {
        model(name: $project, entityName: $entity) { id name entity { id name }
          bucket(name: $name, missingOk: true) { id name summaryMetrics displayName logLineCount historyLineCount
            eventsLineCount historyTail eventsTail config tags notes wandbConfig(keys: ["t"]) } } }""",
    "CreateRunFiles": """mutation CreateRunFiles($entity: String!, $project: String!, $run: String!,
        $files: [String!]!) { createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run,
          files: $files}) { runID uploadHeaders files { name uploadUrl } } }""",
    "MarkRunFilesUploaded": """mutation MarkRunFilesUploaded($entity: String!, $project: String!, $run: String!,
        $files: [String!]!) { markRunFilesUploaded(input: {entityName: $entity, projectName: $project, runName: $run,
          files: $files}) { success } }""",
    "StopRun": "mutation StopRun($id: ID!) { stopRun(input: {id: $id}) { success } }",
    "UpdateRunState": "mutation UpdateRunState($input: UpdateRunStateInput!) { updateRunState(input: $input) "
    "{ success } }",
    "DeleteRun": "mutation DeleteRun($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }",
    "Run": """query Run($project: String!, $entity: String!, $name: String!) {
        project(name: $project, entityName: $entity) { run(name: $name) { projectId ...Whole } } }"""
    + _RUN_FIELDS,
    "Runs": """query Runs($project: String!, $entity: String!, $cursor: String, $perPage: Int = 50, $order: String,
        $filters: JSONString) { project(name: $project, entityName: $entity) { internalId runCount(filters: $filters)
          readOnly runs(filters: $filters, after: $cursor, first: $perPage, order: $order) {
            edges { node { projectId ...Whole } cursor } pageInfo { endCursor hasNextPage } } } }"""
    + _RUN_FIELDS,
    "HistoryPage": """query HistoryPage($entity: String!, $project: String!, $run: String!, $minStep: Int64!,
        $maxStep: Int64!, $pageSize: Int!) { project(name: $project, entityName: $entity) { run(name: $run) {
          history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize) } } }""",
    "RunSampledHistory": """query RunSampledHistory($project: String!, $entity: String!, $name: String!,
        $specs: [JSONString!]!) { project(name: $project, entityName: $entity) { run(name: $name) {
          sampledHistory(specs: $specs) } } }""",
    "RunConsoleLogTail": """query RunConsoleLogTail($entity: String!, $project: String!, $runName: String!,
        $last: Int!) { project(name: $project, entityName: $entity) { run(name: $runName) { logLineCount
          logLines(last: $last) { edges { node { number timestamp level label line } } } } } }""",
    "RunFiles": """query RunFiles($project: String!, $entity: String!, $name: String!, $fileNames: [String] = [],
        $upload: Boolean = false, $pattern: String) { project(name: $project, entityName: $entity) { internalId
          run(name: $name) { fileCount files(names: $fileNames, first: 50, pattern: $pattern) {
            edges { node { id name url(upload: $upload) directUrl sizeBytes mimetype updatedAt md5 } cursor }
            pageInfo { endCursor hasNextPage } } } } }""",
    "OrganizationCoreWeaveOrganizationID": """query OrganizationCoreWeaveOrganizationID($entityName: String!) {
        entity(name: $entityName) { organization { coreWeaveOrganizationId } } }""",
    "ServerFeaturesQuery": "query ServerFeaturesQuery { serverInfo { features { name isEnabled } } }",
}

OURS = {
    "item of ours": """query Item($projectName: String!, $entityName: String!, $runQueue: String!, $itemId: ID!) {
        project(name: $projectName, entityName: $entityName) { runQueue(name: $runQueue) { runQueueItem(id: $itemId) {
          id state associatedRunId priority runSpec launchAgentId error { message stage filePaths }
          warnings { message stage filePaths } } } } }""",
    "stop agent": """mutation StopAgent($input: UpdateLaunchAgentInput!) {
        updateLaunchAgent(input: $input) { success } }""",
    "generateApiKey": """mutation GenerateApiKey($input: GenerateApiKeyInput!) {
        generateApiKey(input: $input) { apiKey { id name username } } }""",
    "deleteApiKey": "mutation DeleteApiKey($id: String!) { deleteApiKey(input: {id: $id}) { success } }",
    "createTeam": "mutation CreateTeam($input: CreateTeamInput!) { createTeam(input: $input) { entity { name } } }",
}

DOCUMENTS = AGENT | CLIENT | RUNS | OURS
