# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

module LogStash
  module Outputs
  end
end
