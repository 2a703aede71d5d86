// A host and a client in one process: shares a file and fetches it.
import DIGNatTools
import Foundation
import Logging

let directory = FileManager.default.temporaryDirectory.appendingPathComponent("dig-nat-snippet").path
try FileManager.default.createDirectory(atPath: directory + "/shared-files", withIntermediateDirectories: true)
try Data("Hello".utf8).write(to: URL(fileURLWithPath: directory + "/shared-files/hello.txt"))
let logger = Logger(label: "snippet")

var hosting = FileHostConfiguration(directory: directory + "/shared-files")
// The system chooses a port, and the link says where the host is: nobody has to be asked.
(hosting.port, hosting.localEnabled, hosting.discovery) = (0, false, .off)
let host = try FileHost(configuration: hosting, logger: logger)
try await host.start()

var fetching = FileClientConfiguration(downloadDirectory: directory + "/downloads")
(fetching.localEnabled, fetching.discovery) = (false, .off)
let client = try FileClient(configuration: fetching, logger: logger)
try await client.start()
for content in try await host.contents {
    let link = try content.link(addresses: host.network.addresses)
    let result = try await client.downloadFile(link.description, to: directory + "/downloads/\(content.name)") { print("\(Int($0.fraction * 100)) %") }
    print("fetched", result.path)
}
await client.stop()
await host.stop()
