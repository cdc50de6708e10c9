import KVCluster
import KVCore
import KVLinux

/// Takes an administrator's orders about the layout.
struct LayoutOrders: Sendable {
  /// How the two of them are called, at the end of a path.
  enum Name: String, CaseIterable {
    case cancel
    case force
  }

  let layouts: Layouts
  let proposer: LayoutProposer

  /// Carries an order out, and says what came of it. `lost` are the hosts that are given up.
  func take(_ name: Name, lost names: [String]) async throws(Failure) -> String {
    guard let layout = layouts.known else { throw Failure(.badRequest, "LAYOUT: this node knows of none") }
    guard layouts.current.value.topology.ownMember != nil else {
      throw Failure(.badRequest, "LAYOUT: this host is not in the layout: ask one that is")
    }
    let order: LayoutOrder
    do throws(LayoutOrder.Void) {
      switch name {
      case .cancel: order = try .callingOff(layout)
      case .force:
        guard !names.isEmpty else { throw LayoutOrder.Void("nobody is named who is to be given up") }
        order = try .givingUp(
          names, of: layout, heard: layouts.heard.lately(within: Layouts.signOfLife), own: layouts.hello)
      }
    } catch {
      throw Failure(.badRequest, "LAYOUT: \(error)")
    }
    guard await proposer.carryOut(order) else {
      throw Failure(.unavailable, "LAYOUT: too few of the hosts that have to agree have answered; try again")
    }
    return name == .cancel ? "called off" : "given up: \(names.joined(separator: ", "))"
  }
}
