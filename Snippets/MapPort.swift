// Asks the router to open TCP port 4001, by PCP, NAT-PMP or UPnP, whichever it speaks, and closes the port again at the end.
import DIGPortMapping
import Logging
import NIOPosix

let mapper = PortMapper(group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "snippet"))
try await mapper.add(PortMapping.Request(protocol: .tcp, internalPort: 4001))
let running = Task { try await mapper.run() }

look: for await event in mapper.events {
    switch event {
    case .mapped(let mapping):
        print(mapping.method, "opened", mapping.external, mapping.isPublic ? "for everybody" : "behind another NAT")
        break look
    case .failed(let failure):
        print("the router opens no port:", failure.attempts)
        break look
    case .noGateway:
        print("there is no router")
        break look
    default: continue
    }
}
// Deletes what was opened.
running.cancel()
_ = await running.result
